"""As much of JSON Schema as the explorer's description uses: what is wrong with a value, and values that are right.

A keyword that neither knows is an error, so nothing of the description can be passed over in silence.
"""

from __future__ import annotations

import re

from hypothesis import strategies as st

SILENT = {"title", "description", "default", "format", "contentMediaType", "type"}
KNOWN = SILENT | {
    "$ref", "anyOf", "const", "enum", "properties", "required", "additionalProperties", "items", "prefixItems", "minItems",
    "maxItems", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "pattern", "maxLength", "minLength",
}  # fmt: skip
TYPES = {
    "object": dict, "array": list, "string": str, "integer": int, "number": (int, float), "boolean": bool,
    "null": type(None),
}  # fmt: skip


def resolved(schema, root):
    """The schema that a reference stands for."""
    assert not schema.keys() - KNOWN, f"this test does not know {sorted(schema.keys() - KNOWN)}"
    while "$ref" in schema:
        schema = root["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def faults(value, schema, root, place="body"):
    """What is wrong with a value, one line each."""
    schema = resolved(schema, root)
    if "anyOf" in schema:
        found = [faults(value, one, root, place) for one in schema["anyOf"]]
        return [] if any(not one for one in found) else [f"{place} fits none: {found}"]
    kind = schema.get("type")
    is_bool = isinstance(value, bool)
    if kind and (not isinstance(value, TYPES[kind]) or (is_bool and kind != "boolean")):
        return [f"{place} is {value!r:.80}, no {kind}"]
    wrong = []
    if "const" in schema and value != schema["const"] or "enum" in schema and value not in schema["enum"]:
        wrong.append(f"{place} is {value!r:.80}")
    if kind in ("integer", "number"):
        low, high = bounds(schema)
        wrong += [] if low <= value <= high else [f"{place} is {value}"]
    if kind == "string":
        fits = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        fits = fits and re.search(pattern(schema), value) is not None
        wrong += [] if fits else [f"{place} is {value!r:.80}"]
    if kind == "array":
        fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        wrong += [] if fits else [f"{place} has {len(value)} items"]
        parts = schema.get("prefixItems") or [schema.get("items", {})] * len(value)
        wrong += [
            w
            for n, (item, part) in enumerate(zip(value, parts, strict=False))
            for w in faults(item, part, root, f"{place}.{n}")
        ]
    if kind == "object":
        own, others = schema.get("properties", {}), schema.get("additionalProperties", True)
        wrong += [f"{place}.{name} is missing" for name in schema.get("required", []) if name not in value]
        for name, item in value.items():
            if name not in own and others is False:
                wrong.append(f"{place}.{name} is unknown")
            elif name in own or isinstance(others, dict):
                wrong += faults(item, own.get(name, others), root, f"{place}.{name}")
    return wrong


def pattern(schema):
    """The regular expression of a text, as Python has it: there $ would also match before a last line break."""
    return schema.get("pattern", "").replace("$", r"\Z")


def bounds(schema):
    """The least and the greatest number, both allowed. Exclusive bounds are of whole numbers here."""
    low = schema.get("minimum", schema.get("exclusiveMinimum", float("-inf")))
    high = schema.get("maximum", schema.get("exclusiveMaximum", float("inf")))
    if "exclusiveMinimum" in schema or "exclusiveMaximum" in schema:
        assert schema["type"] == "integer", "an exclusive bound of a fraction"
        low = int(low) + 1 if "exclusiveMinimum" in schema else low
        high = int(high) - 1 if "exclusiveMaximum" in schema else high
    return low, high


def values(schema, root, words, name=""):
    """A strategy for values that fit. words: by a property's name, texts that mean something to the server there."""
    schema = resolved(schema, root)
    if "anyOf" in schema:
        return st.one_of([values(one, root, words, name) for one in schema["anyOf"]])
    if "const" in schema or "enum" in schema:
        return st.sampled_from(schema.get("enum", [schema.get("const")]))
    kind = schema.get("type")
    if kind == "object":
        own = schema.get("properties", {})
        needed = schema.get("required", [])
        parts = {name: values(part, root, words, name) for name, part in own.items()}
        return st.fixed_dictionaries(
            {name: parts[name] for name in needed},
            optional={name: part for name, part in parts.items() if name not in needed},
        )
    if kind == "array":
        if "prefixItems" in schema:
            return st.tuples(*(values(part, root, words, name) for part in schema["prefixItems"])).map(list)
        most = min(schema.get("maxItems", 5), schema.get("minItems", 0) + 5)
        return st.lists(values(schema["items"], root, words, name), min_size=schema.get("minItems", 0), max_size=most)
    if kind == "string":
        text = st.from_regex(pattern(schema)) if "pattern" in schema else st.text()
        text = text.filter(lambda word: not faults(word, schema, root))
        known = st.sampled_from(words[name]) if name in words else text
        return st.one_of(known, known, text)
    if kind == "integer":
        low, high = bounds(schema)
        return st.one_of(st.integers(int(low), min(int(high), int(low) + 15)), st.integers(int(low), int(high)))
    if kind == "number":
        return st.floats(*bounds(schema), allow_nan=False)
    return {"boolean": st.booleans(), "null": st.none()}[kind]
