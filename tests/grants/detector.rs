//! Finds secrets in any text, in whatever spelling somebody might have let them out, whole or in part.

use std::collections::HashMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// How long a piece is that is looked for. Pieces do not overlap: any part of a secret is found that has twice as much less one.
const PIECE: usize = 16;

/// Where a secret was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What was found, by the name that it was given.
    pub secret: String,
    /// In which spelling.
    pub spelling: &'static str,
    /// The line, or the beginning of it.
    pub line: String,
}

/// All the secrets that are looked for.
#[derive(Default)]
pub struct Detector {
    names: Vec<String>,
    pieces: HashMap<[u8; PIECE], (usize, &'static str)>,
}

impl Detector {
    /// One more secret. Of a PEM file the lines count, not what frames them.
    pub fn add(&mut self, name: &str, secret: &str) {
        if self.names.iter().any(|known| known == name) {
            return;
        }
        self.names.push(name.to_owned());
        let lines: Vec<&str> = secret.lines().filter(|line| !line.starts_with("-----")).collect();
        for line in &lines {
            self.put("as it is", line.as_bytes());
            self.put("escaped", line.escape_debug().to_string().as_bytes());
            self.put("in a URL", in_a_url(line).as_bytes());
        }
        self.put_bytes(secret.as_bytes());
        // The bytes of a key, where these lines are their base64.
        if secret.starts_with("-----")
            && let Ok(key) = STANDARD.decode(lines.concat())
        {
            self.put_bytes(&key);
        }
    }

    /// How many secrets, and how many pieces of them.
    pub fn size(&self) -> (usize, usize) {
        (self.names.len(), self.pieces.len())
    }

    /// The first secret in a text, if there is one.
    pub fn search(&self, text: &str) -> Option<Found> {
        let windows = text.as_bytes().windows(PIECE).enumerate();
        let hit = |window: &[u8]| self.pieces.get::<[u8; PIECE]>(window.try_into().unwrap());
        let (at, (secret, spelling)) = windows.filter_map(|(at, window)| Some((at, hit(window)?))).next()?;
        let before = String::from_utf8_lossy(&text.as_bytes()[..at]).into_owned();
        let after = String::from_utf8_lossy(&text.as_bytes()[at..]).into_owned();
        let begins: String = before.rsplit('\n').next().unwrap_or_default().chars().take(240).collect();
        let ends: String = after.lines().next().unwrap_or_default().chars().take(80).collect();
        Some(Found { secret: self.names[*secret].clone(), spelling, line: format!("{begins}{ends}") })
    }

    /// Spellings in which one byte is like the other.
    fn put_bytes(&mut self, bytes: &[u8]) {
        for once in base64s(bytes) {
            self.put("base64", once.as_bytes());
            self.put("base64 for URLs", once.replace('+', "-").replace('/', "_").as_bytes());
            for twice in base64s(once.as_bytes()) {
                self.put("base64 of base64", twice.as_bytes());
            }
        }
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        self.put("hex", hex.as_bytes());
        self.put("hex", hex.to_uppercase().as_bytes());
        // As Rust's Debug prints bytes: four of them are a piece of sixteen characters at least.
        let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
        self.put("numbers", numbers.join(", ").as_bytes());
        self.put("numbers", numbers.join(",").as_bytes());
    }

    fn put(&mut self, spelling: &'static str, text: &[u8]) {
        let secret = self.names.len() - 1;
        let last = text.len().checked_sub(PIECE).map(|at| &text[at..]);
        for piece in text.chunks_exact(PIECE).chain(last) {
            self.pieces.entry(piece.try_into().unwrap()).or_insert((secret, spelling));
        }
    }
}

/// The base64 of bytes, wherever in a longer text of base64 they begin: without what depends on their neighbours.
fn base64s(bytes: &[u8]) -> [String; 3] {
    [0, 1, 2].map(|before| {
        let padded: Vec<u8> = std::iter::repeat_n(0, before).chain(bytes.iter().copied()).collect();
        let text = STANDARD.encode(&padded);
        let end = padded.len() / 3 * 4;
        text[if before == 0 { 0 } else { 4 }..end].to_owned()
    })
}

fn in_a_url(text: &str) -> String {
    let spell = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    };
    text.bytes().map(spell).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "k7#Vq2!mZ8$Rw4@Lx9%Tc3^Yb6&Nd1*H";
    const KEY: &str = "-----BEGIN RSA PRIVATE KEY-----\n\
        MIIEpAIBAAKCAQEAu1SU1LfVLPHCozMxH2Mo4lgOEePzNm0tRgeLezV6ffAt0gun\n\
        VTLw7onLRnrq0/IzW7yWR7QkrmBL7jTKEn5u+qKhbwKfBstIs+bMY2Zkp18gnTxK\n\
        -----END RSA PRIVATE KEY-----\n";

    fn detector() -> Detector {
        let mut detector = Detector::default();
        detector.add("password", PASSWORD);
        detector.add("key", KEY);
        detector
    }

    /// The detector itself must not be blind: each of these is a line that somebody's `{:?}` could have made.
    #[test]
    fn a_log_line_with_a_secret_in_any_spelling_is_found() {
        let detector = detector();
        let der = STANDARD.decode(KEY.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
        for (secret, text) in [("password", PASSWORD), ("key", KEY)] {
            let bytes = text.as_bytes();
            let once = STANDARD.encode(text);
            let in_the_middle = STANDARD.encode(format!("x{text}y"));
            let twice = STANDARD.encode(&once);
            let rows = [
                ("as it is", text.to_owned()),
                ("Debug of a string", format!("{text:?}")),
                ("Debug of bytes", format!("{bytes:?}")),
                ("bytes in JSON", serde_json::to_string(bytes).unwrap()),
                ("a string in JSON", serde_json::to_string(text).unwrap()),
                ("a string in JSON in JSON", serde_json::to_string(&serde_json::to_string(text).unwrap()).unwrap()),
                ("base64", once.clone()),
                ("base64 of a longer text", in_the_middle),
                ("base64 of base64", twice),
                ("base64 of base64 in a Secret", STANDARD.encode(format!("{{\"data\":\"{once}\"}}"))),
                ("base64 for URLs", once.replace('+', "-").replace('/', "_")),
                ("URL", in_a_url(text)),
                ("hex", bytes.iter().map(|byte| format!("{byte:02x}")).collect()),
                ("HEX", bytes.iter().map(|byte| format!("{byte:02X}")).collect()),
            ];
            for (spelling, leak) in rows {
                let line =
                    format!("2026-11-22T12:00:00Z  INFO windlass::aws: answered body={leak} took=3\nnext line\n");
                let found = detector.search(&line);
                assert_eq!(found.map(|found| found.secret).as_deref(), Some(secret), "{spelling}");
            }
        }
        for leak in [format!("{der:?}"), der.iter().map(|byte| format!("{byte:02x}")).collect()] {
            assert_eq!(detector.search(&leak).map(|found| found.secret).as_deref(), Some("key"));
        }
    }

    #[test]
    fn a_part_of_a_secret_is_found_and_nothing_else_is() {
        let detector = detector();
        let line = KEY.lines().nth(2).unwrap();
        for begin in 0..=line.len() - (2 * PIECE - 1) {
            let part = &line[begin..begin + 2 * PIECE - 1];
            assert_eq!(detector.search(part).map(|found| found.secret).as_deref(), Some("key"), "{part}");
        }
        let harmless = [
            "-----BEGIN RSA PRIVATE KEY-----",
            "Secret fix has credentials that work",
            "arn:aws:lightsail:us-east-1:123456789012:Instance/bd470fc5-0000-4000-8000-000000000000",
            "0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0",
            "",
        ];
        for text in harmless {
            assert_eq!(detector.search(text), None, "{text}");
        }
    }
}
