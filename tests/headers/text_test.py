#!/usr/bin/env python3
"""What the text of the headers must keep to, whatever a compiler says: text_test.py INCLUDE_FOLDER BOOST_FOLDER

No private header of Boost and nothing of its private namespaces, no header that stands for a whole part of it, Beast in
one header alone, and no macros but those that the documentation names. Each header includes itself what it names of the
standard library and of Asio, and one way or another where each type of ours that it names is declared.
"""
import itertools
import pathlib
import re
import sys

BEAST = "kvolt/detail/http/beast.hpp"
MACROS = re.compile(r"KVOLT_(VERSION|VERSION_MAJOR|VERSION_MINOR|VERSION_PATCH|INLINE)$")
PRIVATE = {"detail", "impl", "aux_"}
INCLUDE = re.compile(r"^\s*#\s*include\s*<([^>]*)>", re.MULTILINE)
DECLARATION = re.compile(r"^( *)(?:template <[^;{]*> *)?(?:class|struct|enum class|using|concept) (\w+)\b",
                         re.MULTILINE)

# What the standard library declares in which header, as far as it is named here
STANDARD = {name: header for header, names in {
    "algorithm": """all_of any_of clamp copy copy_n count_if equal fill find find_if lower_bound max max_element min
                    min_element none_of nth_element ranges remove_if rotate search sort stable_sort upper_bound""",
    "array": "array",
    "atomic": """atomic atomic_thread_fence memory_order_acq_rel memory_order_acquire memory_order_relaxed
                 memory_order_release""",
    "bit": "bit_cast bit_ceil bit_width countr_zero endian has_single_bit popcount rotl",
    "charconv": "from_chars to_chars",
    "chrono": "chrono",
    "concepts": "constructible_from convertible_to derived_from integral invocable predicate regular_invocable same_as",
    "condition_variable": "condition_variable",
    "cstddef": "byte max_align_t nullptr_t ptrdiff_t size_t",
    "cstdint": "int32_t int64_t int8_t uint16_t uint32_t uint64_t uint8_t uintptr_t",
    "cstring": "memchr memcmp memcpy memmove strlen",
    "deque": "deque",
    "exception": "current_exception exception_ptr make_exception_ptr rethrow_exception",
    "functional": "function less reference_wrapper",
    "future": "async future packaged_task promise",
    "limits": "numeric_limits",
    "map": "map multimap",
    "memory": """addressof allocator allocator_traits construct_at default_delete destroy_at enable_shared_from_this
                 make_shared make_unique shared_ptr static_pointer_cast unique_ptr weak_ptr""",
    "mutex": "call_once lock_guard mutex once_flag scoped_lock unique_lock",
    "new": "align_val_t bad_alloc launder nothrow",
    "optional": "nullopt nullopt_t optional",
    "set": "set",
    "span": "as_bytes span",
    "stdexcept": "invalid_argument length_error logic_error out_of_range runtime_error",
    "string": "char_traits stoi stoul stoull string to_string",
    "string_view": "string_view",
    "system_error": "errc generic_category make_error_code system_category system_error",
    "thread": "this_thread thread",
    "tuple": "apply make_tuple tie tuple",
    "type_traits": """conditional_t decay_t enable_if_t false_type invoke_result_t is_convertible_v is_invocable_v
                      is_nothrow_move_constructible_v is_pointer_v is_same_v is_void_v remove_cvref_t true_type""",
    "unordered_map": "unordered_map",
    "utility": """as_const declval exchange forward in_place in_place_t index_sequence make_index_sequence
                  make_pair move pair""",
    "variant": "holds_alternative monostate variant visit",
    "vector": "vector",
}.items() for name in names.split()}


def code(text: str) -> str:
    """Without comments, strings and characters."""
    pattern = r'//[^\n]*|R"(\w*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![\w])\'(?:\\.[^\']*|[^\'\\])\''
    return re.sub(pattern, lambda found: "" if found[0].startswith("//") else '""', text, flags=re.DOTALL)


class Names:
    """Which of our headers declares what, and what each includes."""

    def __init__(self, texts: dict[str, str]):
        # What headers include without KVOLT_COMPILED only, they cannot count on.
        self.texts = {name: text if name == "kvolt/config.hpp" else text.split("#ifndef KVOLT_COMPILED")[0]
                      for name, text in texts.items()}
        found = {name: DECLARATION.findall(text) for name, text in texts.items()}
        self.declared = {name: {word for _, word in words} for name, words in found.items()}
        self.known = {word for words in found.values() for indent, word in words if not indent and word[0].isupper()}

    def reached(self, name: str) -> set[str]:
        seen, left = set(), [name]
        while left:
            for header in INCLUDE.findall(self.texts.get(left.pop(), "")):
                if header.startswith("kvolt") and header not in seen:
                    seen.add(header)
                    left.append(header)
        return seen

    def missing(self, name: str):
        text = self.texts[name]
        here = set().union(self.declared[name], *(self.declared[header] for header in self.reached(name)))
        own = set(re.findall(r"\b(?:class|struct|enum class|typename|using|concept|auto) (\w+)", text))
        for word in sorted(set(re.findall(r"(?<![\w:.])[A-Z]\w*", re.sub(r"^\s*#.*", "", text, flags=re.MULTILINE)))):
            if word in self.known - here - own:
                yield f"{word} is declared in nothing that this includes"


def missing_of_others(text: str, boost: pathlib.Path):
    includes = set(INCLUDE.findall(text))
    for word in sorted(set(re.findall(r"\bstd::(\w+)", text))):
        if word in STANDARD and STANDARD[word] not in includes:
            yield f"std::{word} without <{STANDARD[word]}>"
    for word in sorted(set(re.findall(r"\bboost::asio::(\w+)", text))):
        header = f"boost/asio/{word}.hpp"
        if header not in includes and (boost / header).exists():
            yield f"boost::asio::{word} without <{header}>"


def faults(name: str, text: str, boost: pathlib.Path):
    for header in re.findall(r'^\s*#\s*include\s*[<"](boost/[^>"]*)[>"]', text, re.MULTILINE):
        path = pathlib.PurePosixPath(header)
        if PRIVATE & set(path.parts):
            yield f"{header} is private"
        if (boost / path.with_suffix("")).is_dir():
            yield f"{header} includes a whole part of Boost"
        if header.startswith("boost/beast") and name != BEAST:
            yield f"{header}: only {BEAST} includes Beast"
    for private in re.findall(r"boost(?:::\w+)*::detail\b", text):
        yield f"{private} is private"
    if name != BEAST and "boost::beast" in text:
        yield f"boost::beast: only {BEAST} knows Beast"
    guard = re.sub(r"\W", "_", name).upper()
    for macro in re.findall(r"^\s*#\s*define\s+(\w+)", text, re.MULTILINE):
        if macro != guard and not MACROS.match(macro):
            yield f"{macro}: a macro of its own"


def main() -> int:
    include, boost = map(pathlib.Path, sys.argv[1:])
    headers = {header.relative_to(include).as_posix(): header.read_text() for header in sorted(include.rglob("*.hpp"))}
    names = Names({name: code(text) for name, text in headers.items()})
    found = 0
    for name, text in headers.items():
        of_others = missing_of_others(code(text), boost)
        for fault in itertools.chain(faults(name, re.sub(r"//.*", "", text), boost), of_others, names.missing(name)):
            print(f"{name}: {fault}")
            found += 1
    print(f"{len(headers)} headers, {found} faults")
    return 1 if found or not headers or not (boost / "boost/asio").is_dir() else 0


if __name__ == "__main__":
    sys.exit(main())
