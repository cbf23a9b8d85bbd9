"""Builds one copy of the source that contains every mutant.

cargo-mutants lists the mutants. It would compile the crate once for each of them, which takes a day. This module writes each
mutant as a branch that `mutant(ID)` selects at run time, so that one compilation serves all of them.
"""

import collections
import pathlib

import tree_sitter
import tree_sitter_rust

LANGUAGE = tree_sitter.Language(tree_sitter_rust.language())

# The lines that `lib.rs` receives. A process runs the mutant `SIGNPOST_MUTANT`, and writes the id of each mutant that it reaches
# into the file `SIGNPOST_REACHED`.
SWITCH = """
#[doc(hidden)]
pub fn mutant(id: usize) -> bool {
    use std::io::Write as _;
    use std::sync::{LazyLock, atomic::{AtomicBool, Ordering}};
    static SELECTED: LazyLock<usize> =
        LazyLock::new(|| std::env::var("SIGNPOST_MUTANT").map_or(0, |id| id.parse().expect("a number")));
    static REACHED: LazyLock<Option<std::fs::File>> = LazyLock::new(|| {
        let path = std::env::var_os("SIGNPOST_REACHED")?;
        Some(std::fs::File::options().append(true).create(true).open(path).expect("a file"))
    });
    static KNOWN: [AtomicBool; LENGTH] = [const { AtomicBool::new(false) }; LENGTH];
    if let Some(mut file) = REACHED.as_ref()
        && !KNOWN[id].swap(true, Ordering::Relaxed)
    {
        file.write_all(format!("{id}\\n").as_bytes()).expect("a file that can grow");
    }
    *SELECTED == id
}
"""


class SourceFile:
    """A source file and the mutants at its nodes."""

    def __init__(self, path):
        self.text = pathlib.Path(path).read_bytes()
        self.lines = self.text.split(b"\n")
        self.tree = tree_sitter.Parser(LANGUAGE).parse(self.text)
        self.mutants = collections.defaultdict(list)

    def position(self, place):
        """Returns the offset of a line and a column in characters, both counted from 1."""
        line, column = place["line"] - 1, place["column"] - 1
        start = sum(len(line) + 1 for line in self.lines[:line])
        return start + len(self.lines[line].decode()[:column].encode())

    def add(self, number, mutant):
        """Attaches a mutant to its node. Returns false if this kind of mutant has no branch."""
        at = self.position(mutant["span"]["start"])
        node = self.tree.root_node.descendant_for_byte_range(at, at + 1)
        kind = mutant["genre"]
        if kind == "FnValue" and "impl " in mutant["function"]["return_type"]:
            # All branches of such a function must have one type.
            return False
        if kind == "FnValue":
            start = self.position(mutant["function"]["span"]["start"])
            end = self.position(mutant["function"]["span"]["end"])
            node = self.tree.root_node.descendant_for_byte_range(start, end)
            while node and node.type != "function_item":
                node = next((child for child in node.children if child.start_byte <= at < child.end_byte), None)
            node = node and node.child_by_field_name("body")
        elif kind == "BinaryOperator":
            node = node.parent
            if node.type not in ("binary_expression", "compound_assignment_expr"):
                return False
        elif kind == "UnaryOperator":
            node = node.parent if node.type != "unary_expression" else node
            if node.type != "unary_expression" or self.text[node.start_byte : node.start_byte + 1] != b"!":
                return False
        elif kind == "MatchArmGuard":
            while node.parent and node.parent.type != "match_pattern":
                node = node.parent
            if not node.parent or node.type in ("let_condition", "let_chain"):
                return False
        elif kind == "MatchArm":
            while node and node.type != "match_arm":
                node = node.parent
            node = node and node.child_by_field_name("pattern")
        else:
            return False
        if node is None:
            return False
        self.mutants[node.id].append((number, kind, mutant["replacement"]))
        return True

    def render(self):
        """Returns the text with the branches of all mutants."""
        return self._render(self.tree.root_node)

    def _render(self, node):
        """Returns the text of a node, with the branches of its mutants."""
        mutants = sorted(self.mutants.get(node.id, ()))
        operators = [mutant for mutant in mutants if mutant[1] == "BinaryOperator"]
        text = self._operators(node, operators) if operators else self._children(node, node.children)
        for number, kind, value in mutants:
            if kind == "FnValue":
                text = f"{{\nif crate::mutant({number}) {{ return {value}; }}\n{text[1:]}"
            elif kind == "UnaryOperator":
                text = f"(({text}) != crate::mutant({number}))"
            elif kind == "MatchArmGuard" and value == "true":
                text = f"(({text}) || crate::mutant({number}))"
            elif kind == "MatchArmGuard":
                text = f"(({text}) && !crate::mutant({number}))"
            elif kind == "MatchArm":
                text = self._arm(node, text, number)
        return text

    def _children(self, node, children):
        """Returns the text of a node whose children are rendered."""
        parts, at = [], node.start_byte
        for child in children:
            parts += [self.text[at : child.start_byte].decode(), self._render(child)]
            at = child.end_byte
        return "".join(parts) + self.text[at : node.end_byte].decode()

    def _arm(self, pattern, text, number):
        condition = pattern.child_by_field_name("condition")
        if condition is None:
            return f"{text} if !crate::mutant({number})"
        head = self.text[pattern.start_byte : condition.start_byte].decode()
        return f"{head}({self._render(condition)}) && !crate::mutant({number})"

    def _operators(self, node, mutants):
        left = self._render(node.child_by_field_name("left"))
        right = self._render(node.child_by_field_name("right"))
        operator = self.text[
            node.child_by_field_name("operator").start_byte : node.child_by_field_name("operator").end_byte
        ].decode()
        if operator in ("&&", "||") and len(mutants) == 1:
            stop = "" if operator == "&&" else "!"
            number = mutants[0][0]
            return f"({{ let mutated = {left}; if {stop}(mutated != crate::mutant({number})) {{ {right} }} else {{ mutated }} }})"
        if {operator, mutants[0][2]} == {"==", "!="} and len(mutants) == 1:
            return f"((({left}) {operator} ({right})) != crate::mutant({mutants[0][0]}))"
        branches = "".join(f"if crate::mutant({number}) {{ ({left}) {other} ({right}) }} else " for number, _, other in mutants)
        if node.type == "compound_assignment_expr":
            branches = "".join(f"if crate::mutant({number}) {{ {left} {other} {right} }} else " for number, _, other in mutants)
            return f"{branches}{{ {left} {operator} {right} }}"
        return f"({branches}{{ ({left}) {operator} ({right}) }})"


def write(root, mutants, excluded):
    """Writes the branches of `mutants`, except the ids in `excluded`, into the source files. Returns the ids without a branch."""
    files, without = {}, set()
    for number, mutant in enumerate(mutants, 1):
        path = pathlib.Path(root, mutant["file"])
        if path not in files:
            files[path] = SourceFile(path)
        if number not in excluded and not files[path].add(number, mutant):
            without.add(number)
    for path, source in files.items():
        path.write_text(source.render())
    library = pathlib.Path(root, "src/lib.rs")
    library.write_text(library.read_text() + SWITCH.replace("LENGTH", str(len(mutants) + 1)))
    return without
