//! Result, reason and error codes of the control messages (RFC 2637 §2). A code without a name is kept as `Unknown`.

use core::fmt;

macro_rules! codes {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $value:literal, $text:literal;)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$vdoc])* #[doc = $text] $variant,)+
            /// A value without a meaning in RFC 2637.
            Unknown(u8),
        }

        impl From<u8> for $name {
            fn from(value: u8) -> Self {
                match value {
                    $($value => Self::$variant,)+
                    other => Self::Unknown(other),
                }
            }
        }

        impl From<$name> for u8 {
            fn from(code: $name) -> Self {
                match code {
                    $($name::$variant => $value,)+
                    $name::Unknown(other) => other,
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => write!(f, "{} ({})", $text, $value),)+
                    Self::Unknown(other) => write!(f, "unknown code ({other})"),
                }
            }
        }
    };
}

codes! {
    /// Start-Control-Connection-Reply, Result Code (§2.2).
    StartResult {
        Established = 1, "established";
        GeneralError = 2, "general error";
        AlreadyExists = 3, "control connection already exists";
        NotAuthorized = 4, "not authorized";
        VersionNotSupported = 5, "protocol version not supported";
    }
}

codes! {
    /// Stop-Control-Connection-Request, Reason (§2.3).
    StopReason {
        None = 1, "general request";
        StopProtocol = 2, "peer's protocol version not supported";
        StopLocalShutdown = 3, "shutting down";
    }
}

codes! {
    /// Stop-Control-Connection-Reply, Result Code (§2.4).
    StopResult {
        Ok = 1, "closed";
        GeneralError = 2, "general error";
    }
}

codes! {
    /// Echo-Reply, Result Code (§2.6).
    EchoResult {
        Ok = 1, "ok";
        GeneralError = 2, "general error";
    }
}

codes! {
    /// Outgoing-Call-Reply, Result Code (§2.8).
    CallResult {
        Connected = 1, "connected";
        GeneralError = 2, "general error";
        NoCarrier = 3, "no carrier";
        Busy = 4, "busy";
        NoDialTone = 5, "no dial tone";
        TimeOut = 6, "time-out";
        DoNotAccept = 7, "administratively prohibited";
    }
}

codes! {
    /// Incoming-Call-Reply, Result Code (§2.10).
    IncomingCallResult {
        Connect = 1, "connect";
        GeneralError = 2, "general error";
        DoNotAccept = 3, "not accepted";
    }
}

codes! {
    /// Call-Disconnect-Notify, Result Code (§2.13).
    DisconnectResult {
        LostCarrier = 1, "lost carrier";
        GeneralError = 2, "general error";
        AdminShutdown = 3, "administrative shutdown";
        Request = 4, "on request";
    }
}

codes! {
    /// General Error Codes (§2.16).
    GeneralError {
        None = 0, "none";
        NotConnected = 1, "no control connection";
        BadFormat = 2, "bad length or magic cookie";
        BadValue = 3, "field value out of range";
        NoResource = 4, "insufficient resources";
        BadCallId = 5, "bad call id";
        PacError = 6, "vendor-specific error in the PAC";
    }
}
