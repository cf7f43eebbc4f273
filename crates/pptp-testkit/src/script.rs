//! The language that tests tell the server in what to do.
//!
//! A rule is `TRIGGER[@N]=ACTION[,ACTION…]`; with `@N` it holds for the Nth connection only (the first is 1) and goes
//! before a rule without.  Without a rule the server answers as RFC 2637 asks.
//!
//! Triggers: `accept`, `call-up` (an Outgoing-Call-Reply with result 1 went out), `unknown` and the short name of every
//! message that can come in: `sccrq sccrp stop stop-reply echo echo-reply ocrq ocrp icrq icrp iccn clear cdn wen sli`.
//!
//! Actions, done in order; each may take arguments after colons:
//!
//! | action | what it does |
//! |---|---|
//! | `reply[:FIELD=V…]` | the proper reply, with fields changed (`length`, `magic`, `code` … included) |
//! | `half[:OCTETS]` | the proper reply, cut after so many octets (default: half of it) |
//! | `NAME[:FIELD=V…]` | any message by its short name; V may be `ours` or `theirs`: a call id |
//! | `nothing` | no reply to this message |
//! | `mute` | nothing is sent any more, whatever comes |
//! | `mute-echo` | Echo-Requests get no reply any more |
//! | `wait:TIME` | the actions after it come TIME later (`500ms`, `2s`); the server goes on meanwhile |
//! | `wait-file:PATH` | the actions after it come when PATH exists |
//! | `bytewise` | from here on one octet per TCP segment |
//! | `garbage[:N]` | N octets (default 64) that are no message |
//! | `raw:HEX` | these octets |
//! | `storm:N` | N Echo-Requests at once |
//! | `close` · `reset` | ends TCP with FIN · RST |
//! | `exit` | the server process ends on the spot |

use std::path::PathBuf;
use std::time::Duration;

use crate::layout::{LAYOUTS, Layout, by_short};

/// What a field is set to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Value {
    /// A number.
    Number(u32),
    /// The call id that the server gave to the latest call.
    Ours,
    /// The call id that the client gave to the latest call.
    Theirs,
}

/// Fields to change in a message, in order.
pub type Changes = Vec<(String, Value)>;

/// One thing to do.
#[derive(Debug, Clone)]
pub enum Action {
    /// The proper reply to the message that triggered the rule.
    Reply(Changes),
    /// The proper reply, cut after so many octets; `None`: half of it.
    Half(Option<usize>),
    /// Any message.
    Send(&'static Layout, Changes),
    /// No reply.
    Nothing,
    /// Never send again.
    Mute,
    /// Never answer an Echo-Request again.
    MuteEcho,
    /// Do the rest later.
    Wait(Duration),
    /// Do the rest when the file exists.
    WaitFile(PathBuf),
    /// Send octet by octet from now on.
    Bytewise,
    /// Octets that no message starts with.
    Garbage(usize),
    /// These octets.
    Raw(Vec<u8>),
    /// So many Echo-Requests.
    Storm(u32),
    /// FIN.
    Close,
    /// RST.
    Reset,
    /// End the process.
    Exit,
}

#[derive(Debug)]
struct Rule {
    trigger: String,
    connection: Option<u32>,
    actions: Vec<Action>,
}

/// All rules of a server.
#[derive(Debug, Default)]
pub struct Script {
    rules: Vec<Rule>,
}

impl Script {
    /// Adds `TRIGGER[@N]=ACTION[,ACTION…]`.
    ///
    /// # Errors
    /// A sentence that names the part that is not understood.
    pub fn add(&mut self, text: &str) -> Result<(), String> {
        let (head, actions) = text.split_once('=').ok_or_else(|| format!("`{text}` has no `=`"))?;
        let (trigger, connection) = match head.split_once('@') {
            None => (head, None),
            Some((trigger, n)) => (trigger, Some(n.parse().map_err(|_| format!("`{n}` is not a connection number"))?)),
        };
        if !matches!(trigger, "accept" | "call-up" | "unknown") && by_short(trigger).is_none() {
            return Err(format!("`{trigger}` is not a trigger"));
        }
        let actions = actions.split(',').map(action).collect::<Result<_, _>>()?;
        self.rules.push(Rule { trigger: trigger.to_string(), connection, actions });
        Ok(())
    }

    /// What to do on this trigger on the connection with this number.
    #[must_use]
    pub fn actions(&self, trigger: &str, connection: u32) -> Vec<Action> {
        let rules = || self.rules.iter().filter(|rule| rule.trigger == trigger);
        let rule = rules().find(|rule| rule.connection == Some(connection));
        match rule.or_else(|| rules().find(|rule| rule.connection.is_none())) {
            Some(rule) => rule.actions.clone(),
            None => default_actions(trigger),
        }
    }
}

fn default_actions(trigger: &str) -> Vec<Action> {
    match trigger {
        "sccrq" | "ocrq" | "echo" | "clear" => vec![Action::Reply(Vec::new())],
        "stop" => vec![Action::Reply(Vec::new()), Action::Close],
        _ => Vec::new(),
    }
}

fn action(text: &str) -> Result<Action, String> {
    let mut parts = text.split(':');
    let name = parts.next().unwrap_or_default();
    let arguments: Vec<&str> = parts.collect();
    let first = arguments.first().copied();
    let missing = || format!("`{text}` needs an argument");
    Ok(match name {
        "reply" => Action::Reply(changes(&arguments, LAYOUTS)?),
        "half" => Action::Half(first.map(number).transpose()?),
        "nothing" => Action::Nothing,
        "mute" => Action::Mute,
        "mute-echo" => Action::MuteEcho,
        "wait" => Action::Wait(duration(first.ok_or_else(missing)?)?),
        "wait-file" => Action::WaitFile(first.ok_or_else(missing)?.into()),
        "bytewise" => Action::Bytewise,
        "garbage" => Action::Garbage(first.map_or(Ok(64), number)?),
        "raw" => Action::Raw(hex(first.ok_or_else(missing)?)?),
        "storm" => Action::Storm(number(first.ok_or_else(missing)?)?),
        "close" => Action::Close,
        "reset" => Action::Reset,
        "exit" => Action::Exit,
        other => {
            let layout = by_short(other).ok_or_else(|| format!("`{other}` is not an action"))?;
            Action::Send(layout, changes(&arguments, std::slice::from_ref(layout))?)
        }
    })
}

/// `FIELD=VALUE` each; the field must be in one of `layouts`.
fn changes(arguments: &[&str], layouts: &[Layout]) -> Result<Changes, String> {
    arguments
        .iter()
        .map(|argument| {
            let (field, value) = argument.split_once('=').ok_or_else(|| format!("`{argument}` is not FIELD=VALUE"))?;
            if !layouts.iter().any(|layout| layout.field(field).is_some()) {
                return Err(format!("`{field}` is not a field"));
            }
            let value = match value {
                "ours" => Value::Ours,
                "theirs" => Value::Theirs,
                _ => Value::Number(number(value)?),
            };
            Ok((field.to_string(), value))
        })
        .collect()
}

fn number<T: TryFrom<u64>>(text: &str) -> Result<T, String> {
    let parsed = match text.strip_prefix("0x") {
        Some(digits) => u64::from_str_radix(digits, 16),
        None => text.parse(),
    };
    let number = parsed.ok().and_then(|number| T::try_from(number).ok());
    number.ok_or_else(|| format!("`{text}` is not a number that fits"))
}

fn duration(text: &str) -> Result<Duration, String> {
    if let Some(milliseconds) = text.strip_suffix("ms") {
        return Ok(Duration::from_millis(number(milliseconds)?));
    }
    let seconds = text.strip_suffix('s').ok_or_else(|| format!("`{text}` is not a time: 500ms, 2s"))?;
    Ok(Duration::from_secs(number(seconds)?))
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let wrong = || format!("`{text}` is not hexadecimal");
    let digits: Vec<u32> = text.chars().map(|c| c.to_digit(16)).collect::<Option<_>>().ok_or_else(wrong)?;
    let (pairs, rest) = (digits.chunks_exact(2), digits.len() % 2);
    if rest != 0 {
        return Err(wrong());
    }
    pairs
        .map(|pair| u8::try_from(pair.iter().fold(0, |octet, digit| octet << 4 | digit)).map_err(|_| wrong()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn script(rules: &[&str]) -> Script {
        let mut script = Script::default();
        for rule in rules {
            script.add(rule).unwrap();
        }
        script
    }

    fn refusal(rule: &str) -> String {
        Script::default().add(rule).unwrap_err()
    }

    #[test]
    fn a_rule_is_a_list_of_actions() {
        let script = script(&["ocrq=wait:1500ms,reply:result=4:cause=0x11,close"]);
        let actions = script.actions("ocrq", 1);
        assert!(matches!(&actions[0], Action::Wait(time) if *time == Duration::from_millis(1500)));
        let Action::Reply(changes) = &actions[1] else { panic!("{actions:?}") };
        assert_eq!(changes[..], [("result".into(), Value::Number(4)), ("cause".into(), Value::Number(17))]);
        assert!(matches!(actions[2], Action::Close));
    }

    #[test]
    fn a_rule_for_one_connection_goes_before_the_general_one() {
        let script = script(&["sccrq=close", "sccrq@2=mute"]);
        assert!(matches!(script.actions("sccrq", 1)[..], [Action::Close]));
        assert!(matches!(script.actions("sccrq", 2)[..], [Action::Mute]));
    }

    #[test]
    fn without_rules_requests_get_their_replies() {
        let script = script(&[]);
        assert!(matches!(script.actions("sccrq", 1)[..], [Action::Reply(_)]));
        assert!(matches!(script.actions("stop", 1)[..], [Action::Reply(_), Action::Close]));
        assert!(script.actions("sli", 1).is_empty());
    }

    #[test]
    fn messages_are_actions_too() {
        let script = script(&["call-up=cdn:id=theirs:result=0,raw:1a2b"]);
        let actions = script.actions("call-up", 9);
        let Action::Send(layout, changes) = &actions[0] else { panic!("{actions:?}") };
        assert_eq!((layout.code, changes.len(), changes[0].1), (13, 2, Value::Theirs));
        assert!(matches!(&actions[1], Action::Raw(octets) if octets[..] == [0x1a, 0x2b]));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        assert_eq!(refusal("sccrq"), "`sccrq` has no `=`");
        assert_eq!(refusal("lunch=close"), "`lunch` is not a trigger");
        assert_eq!(refusal("sccrq@x=close"), "`x` is not a connection number");
        assert_eq!(refusal("sccrq=dance"), "`dance` is not an action");
        assert_eq!(refusal("sccrq=wait"), "`wait` needs an argument");
        assert_eq!(refusal("sccrq=wait:5"), "`5` is not a time: 500ms, 2s");
        assert_eq!(refusal("sccrq=cdn:speed=1"), "`speed` is not a field");
        assert_eq!(refusal("sccrq=reply:result=99999999999"), "`99999999999` is not a number that fits");
        assert_eq!(refusal("sccrq=raw:1"), "`1` is not hexadecimal");
    }
}
