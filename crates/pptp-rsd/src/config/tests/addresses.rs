use std::net::Ipv4Addr;

use proptest::prelude::*;

use super::*;

fn addresses(text: &str) -> Vec<String> {
    let range: AddressRange = text.parse().unwrap();
    range.addresses().map(|address| address.to_string()).collect()
}

#[test]
fn a_range_is_in_one_of_four_numbers() {
    let cases: [(&str, &[&str]); 8] = [
        ("10.1.2.3", &["10.1.2.3"]),
        ("10.1.2.3-3", &["10.1.2.3"]),
        ("10.1.2.3-5", &["10.1.2.3", "10.1.2.4", "10.1.2.5"]),
        ("10.1.254-255.3", &["10.1.254.3", "10.1.255.3"]),
        ("10.1-2.2.3", &["10.1.2.3", "10.2.2.3"]),
        ("254-255.1.2.3", &["254.1.2.3", "255.1.2.3"]),
        ("10.0.0.008-9", &["10.0.0.8", "10.0.0.9"]),
        ("0-1.0.0.0", &["0.0.0.0", "1.0.0.0"]),
    ];
    for (text, expected) in cases {
        assert_eq!(addresses(text), expected, "{text}");
    }
}

#[test]
fn what_is_no_range_is_refused() {
    let cases = [
        "",
        "-",
        ".",
        "10",
        "10.1",
        "10.1.2",
        "10.1.2.",
        "10.1.2.3.4",
        "10.1.2.256",
        "10.1.2.3-",
        "10.1.2.-3",
        "-10.1.2.3",
        "10.1.2.3-256",
        "10.1.2.9-4",
        "10.1.2-3.4-5",
        "10.1.2.3-4-5",
        "10.1.2.3-10.1.2.9",
        "10.1.2.3 -5",
        "10.1.2.3- 5",
        " 10.1.2.3",
        "10.1.2.3 ",
        "10.1.2.3/24",
        "10.1.2.0003-4",
        "10.1.2.3-0004",
        "010.1.2.3",
        "10.1-2.3",
        "1-2",
        "10.1.2.+3-4",
        "10.1.2.3-+4",
        "255.255.255.255",
        "255.255.255.254-255",
        "254-255.255.255.255",
        "::1",
        "10.1.2.3-５",
    ];
    for text in cases {
        assert_eq!(text.parse::<AddressRange>(), Err(NoAddressRange), "{text}");
    }
}

proptest! {
    #[test]
    fn a_range_is_what_its_text_says(octets: [u8; 4], place in 0..4_usize, more: u8) {
        let last = octets[place].saturating_add(more);
        let text: Vec<_> = octets.iter().enumerate().map(|(index, octet)| match index == place && last > *octet {
            true => format!("{octet}-{last}"),
            false => octet.to_string(),
        }).collect();
        let text = text.join(".");
        let expected: Vec<_> = (octets[place]..=last).map(|octet| {
            let mut address = octets;
            address[place] = octet;
            Ipv4Addr::from(address)
        }).collect();
        if expected.contains(&Ipv4Addr::BROADCAST) {
            prop_assert_eq!(text.parse::<AddressRange>(), Err(NoAddressRange));
        } else {
            let range: AddressRange = text.parse().unwrap();
            prop_assert_eq!(range.addresses().collect::<Vec<_>>(), expected);
            prop_assert_eq!(range.to_string(), text);
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in "[0-9.,-]{0,24}|.*") {
        if let Ok(range) = text.parse::<AddressRange>() {
            prop_assert_eq!(range.to_string().parse(), Ok(range));
        }
    }
}
