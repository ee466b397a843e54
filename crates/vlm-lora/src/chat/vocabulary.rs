//! The bytes that tokens stand for, in a trie.

/// Bytes of a token, at most.
const MAX_TOKEN_BYTES: usize = 256;

/// The tokens of a tokenizer as byte strings.
///
/// ```
/// use vlm_lora::generate::Vocabulary;
///
/// let tokens = [Some(b"a".to_vec()), Some(b"ab".to_vec()), None];
/// let vocabulary = Vocabulary::new(tokens);
/// let mut found = Vec::new();
/// vocabulary.walk(0u8, &mut |_, byte| (byte == b'a').then_some(1), &mut |token, _| found.push(token));
/// assert_eq!(found, [0]);
/// ```
#[derive(Debug, Clone)]
pub struct Vocabulary {
    nodes: Vec<Node>,
    /// Of each token; empty where it is no text.
    bytes: Vec<Box<[u8]>>,
    longest: usize,
}

#[derive(Debug, Clone, Default)]
struct Node {
    tokens: Vec<u32>,
    /// Byte and node, sorted by byte.
    children: Vec<(u8, u32)>,
}

impl Vocabulary {
    /// The bytes of each token in its order. Tokens that are `None` or empty, such as special ones,
    /// are no text. Tokens of more than 256 bytes are no text either; no published vocabulary has
    /// them.
    #[must_use]
    pub fn new(tokens: impl IntoIterator<Item = Option<Vec<u8>>>) -> Self {
        let mut nodes = vec![Node::default()];
        let text = |bytes: Option<Vec<u8>>| bytes.filter(|bytes| bytes.len() <= MAX_TOKEN_BYTES);
        let bytes: Vec<Box<[u8]>> = tokens
            .into_iter()
            .map(|bytes| text(bytes).unwrap_or_default().into_boxed_slice())
            .collect();
        for (token, bytes) in bytes.iter().enumerate().filter(|(_, bytes)| !bytes.is_empty()) {
            let mut at = 0;
            for &byte in bytes {
                let next = nodes.len() as u32;
                let children = &mut nodes[at].children;
                at = match children.binary_search_by_key(&byte, |(byte, _)| *byte) {
                    Ok(place) => children[place].1,
                    Err(place) => {
                        children.insert(place, (byte, next));
                        nodes.push(Node::default());
                        next
                    }
                } as usize;
            }
            nodes[at].tokens.push(token as u32);
        }
        let longest = bytes.iter().map(|bytes| bytes.len()).max().unwrap_or_default();
        Self { nodes, bytes, longest }
    }

    /// Number of tokens, special ones included.
    #[must_use]
    pub fn n_tokens(&self) -> usize {
        self.bytes.len()
    }

    /// Bytes of the longest token.
    #[must_use]
    pub fn longest(&self) -> usize {
        self.longest
    }

    /// The bytes of `token`; empty if it has no text.
    #[must_use]
    pub fn bytes(&self, token: u32) -> &[u8] {
        self.bytes.get(token as usize).map_or(&[], |bytes| bytes)
    }

    /// Whether some token is `byte` alone.
    #[must_use]
    pub fn has_byte(&self, byte: u8) -> bool {
        let child = self.nodes[0].children.iter().find(|(first, _)| *first == byte);
        child.is_some_and(|(_, child)| !self.nodes[*child as usize].tokens.is_empty())
    }

    /// Calls `found` with every token all of whose bytes `step` takes, one after the other from
    /// `state` on, and with the state after the last.
    pub fn walk<S>(
        &self,
        state: S,
        step: &mut dyn FnMut(&S, u8) -> Option<S>,
        found: &mut dyn FnMut(u32, &S),
    ) {
        let mut stack = vec![(0u32, state)];
        while let Some((at, state)) = stack.pop() {
            let node = &self.nodes[at as usize];
            node.tokens.iter().for_each(|token| found(*token, &state));
            for (byte, child) in &node.children {
                stack.extend(step(&state, *byte).map(|state| (*child, state)));
            }
        }
    }
}
