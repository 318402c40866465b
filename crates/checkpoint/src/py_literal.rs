//! The Python literals of array headers: a dictionary of strings, booleans and tuples of integers.
//!
//! Lists, which describe records, are skipped over. Deliberately absent: every other literal, and escapes within strings.

/// A value of the dictionary.
#[derive(Debug, PartialEq)]
pub(crate) enum Literal<'a> {
    Text(&'a str),
    Bool(bool),
    Tuple(Vec<usize>),
    Dict(Vec<(&'a str, Literal<'a>)>),
    /// A list, whatever is in it.
    List,
}

/// Reads `text`, one literal and white space around it.
pub(crate) fn parse(text: &str) -> Option<Literal<'_>> {
    let mut parser = Parser { rest: text };
    let value = if parser.eat('{') {
        Literal::Dict(parser.pairs()?)
    } else {
        parser.value()?
    };
    parser.rest.trim().is_empty().then_some(value)
}

struct Parser<'a> {
    rest: &'a str,
}

impl<'a> Parser<'a> {
    fn eat(&mut self, symbol: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(symbol) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self, word: &str) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(word) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn pairs(&mut self) -> Option<Vec<(&'a str, Literal<'a>)>> {
        let mut pairs = Vec::new();
        while !self.eat('}') {
            let key = self.text()?;
            if !self.eat(':') {
                return None;
            }
            pairs.push((key, self.value()?));
            if !self.eat(',') {
                return self.eat('}').then_some(pairs);
            }
        }
        Some(pairs)
    }

    fn value(&mut self) -> Option<Literal<'a>> {
        if self.eat('(') {
            self.integers().map(Literal::Tuple)
        } else if self.word("True") {
            Some(Literal::Bool(true))
        } else if self.word("False") {
            Some(Literal::Bool(false))
        } else if self.eat('[') {
            self.skip_list().map(|()| Literal::List)
        } else {
            self.text().map(Literal::Text)
        }
    }

    fn text(&mut self) -> Option<&'a str> {
        let quote = ['\'', '"'].into_iter().find(|&quote| self.eat(quote))?;
        let (text, rest) = self.rest.split_once(quote)?;
        self.rest = rest;
        Some(text)
    }

    fn integers(&mut self) -> Option<Vec<usize>> {
        let mut integers = Vec::new();
        while !self.eat(')') {
            self.rest = self.rest.trim_start();
            let digits = self.rest.bytes().take_while(u8::is_ascii_digit).count();
            let (number, rest) = self.rest.split_at(digits);
            integers.push(number.parse().ok()?);
            // Python 2 wrote long integers as `10L`.
            self.rest = rest.strip_prefix('L').unwrap_or(rest);
            if !self.eat(',') {
                return self.eat(')').then_some(integers);
            }
        }
        Some(integers)
    }

    fn skip_list(&mut self) -> Option<()> {
        let mut depth = 1_usize;
        while depth > 0 {
            if self.eat('[') {
                depth += 1;
            } else if self.eat(']') {
                depth -= 1;
            } else if self.text().is_none() {
                let mut rest = self.rest.chars();
                rest.next().filter(|&c| c != '\'' && c != '"')?;
                self.rest = rest.as_str();
            }
        }
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_numpy() {
        let shape = |dims: &[usize]| ("shape", Literal::Tuple(dims.to_vec()));
        let cases = [
            ("{'shape': (), }\n", vec![shape(&[])]),
            ("{\"shape\": (3,)}", vec![shape(&[3])]),
            (
                "{'shape': (10L, 2L), 'a': True}",
                vec![shape(&[10, 2]), ("a", Literal::Bool(true))],
            ),
            (
                "{'descr': [('a', '<f4', (2,)), ('b]', [('c', '<i4')])]}",
                vec![("descr", Literal::List)],
            ),
            ("{'descr': '<f4'}   ", vec![("descr", Literal::Text("<f4"))]),
        ];
        for (text, pairs) in cases {
            assert_eq!(parse(text), Some(Literal::Dict(pairs)), "{text}");
        }
        for text in [
            "",
            "{",
            "{'a'",
            "{'a': }",
            "{'a': (1",
            "{'a': (-1,)}",
            "{'a': [['b'}",
            "{} x",
            "{'a': ('b',)}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
