"""sse.py - is this an event stream as the families send it?

The format allows more than they use. A caller's client may read no more than they use, so an event is
an `event:` line where the family names its events, one `data:` line, and an empty line; a comment is
a line on its own with an empty line behind it.
"""

import re


def events(c, text, is_named):
    """The events: (path, name, data). The name is None where the family has none."""
    if not c.needs(text, "stream", "it is empty"):
        return []
    end = "\r\n" if "\r\n" in text else "\n"
    c.needs(end == "\n" or re.search(r"(?<!\r)\n", text) is None, "stream", "two kinds of line ends")
    c.needs(re.search(r"\r(?!\n)", text) is None, "stream", "a CR alone")
    c.needs(text.endswith(2 * end), "stream", "no empty line behind the last event")
    found = []
    for i, block in enumerate(text.removesuffix(2 * end).split(2 * end)):
        path = f"event {i}"
        lines = block.split(end)
        if len(lines) == 1 and lines[0].startswith(":"):
            continue
        name = None
        if is_named:
            m = re.fullmatch(r"event: ([\w.]+)", lines.pop(0))
            if not c.needs(m, path, "its first line is no event: line"):
                continue
            name = m[1]
        m = re.fullmatch(r"data: (\S.*)", lines[0]) if len(lines) == 1 else None
        if c.needs(m, path, f"one data: line is wanted, not {block[:80]!r}"):
            found.append((path, name, m[1]))
    return found


def values(c, text):
    """Of a family whose events have their type inside and by its name: (path, object)."""
    found = []
    for path, name, data in events(c, text, True):
        value = c.json(path, data)
        if c.needs(isinstance(value, dict), path, "its data is no object"):
            c.needs(value.get("type") == name, path, f"event: {name}, and type {value.get('type')!r}")
            found.append((f"{path} ({name})", value))
    return found
