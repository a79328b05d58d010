"""Pages that the site is given besides the files of this folder: one for each room's API, and those of the root.

A hook of mkdocs. Rooms, public names and decisions are looked up, so that nothing here changes when they do.
"""

import re
from pathlib import Path

import griffe
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files

DOCS = Path(__file__).parent
ROOT = DOCS.parent
FROM_ROOT = {"contributing.md": "CONTRIBUTING.md", "changelog.md": "CHANGELOG.md"}
API_PAGE = """# {0}

::: {0}
    options:
      members: false
      show_root_heading: false
      show_root_toc_entry: false
"""


def rooms() -> list[griffe.Module]:
    """The package itself, then each part of it that names what is public. Read, not imported: no torch is needed."""
    package = griffe.load("flawsight", search_paths=[ROOT / "src"])
    parts = [part for name, part in sorted(package.modules.items()) if not name.startswith("_")]
    return [package, *(part for part in parts if part.exports)]


def api_page(room: griffe.Module) -> str:
    """What the room is for, and its public names."""
    return API_PAGE.format(room.path) + "".join(entry(room, str(name)) for name in room.exports or ())


def entry(room: griffe.Module, name: str) -> str:
    """The directive for one public name; fields of records are shown though they have no docstrings."""
    thing = room[name]
    if thing.is_alias and not resolves(thing):
        return f"\n## {name}\n\nA constant, set in `{thing.target_path.rpartition('.')[0]}`.\n"
    if thing.is_module and name in thing.members:  # a file and what it holds have one name: griffe takes the file
        thing = thing[name]
    if thing.is_module:
        return ""  # a room in a room
    bases = [str(base) for base in thing.bases] if thing.is_class else []
    is_record = "NamedTuple" in bases or "dataclass" in thing.labels
    return f"\n::: {thing.path}\n    options:\n      show_if_no_docstring: {str(is_record).lower()}\n"


def resolves(alias: griffe.Alias) -> bool:
    """Whether griffe finds what the name stands for; not so in `A, B = 0, 1`."""
    try:
        alias.resolve_target()
    except griffe.AliasResolutionError:
        return False
    return True


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put decisions and API pages into the navigation."""
    groups = {title: pages for group in config.nav for title, pages in group.items()}
    groups["Decisions"] += sorted(path.relative_to(DOCS).as_posix() for path in DOCS.glob("decisions/0*.md"))
    groups["API reference"] += [{room.path: f"api/{room.path}.md"} for room in rooms()]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages that are no files of this folder."""
    for room in rooms():
        files.append(File.generated(config, f"api/{room.path}.md", content=api_page(room)))
    for page, source in FROM_ROOT.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=re.sub(r"\]\(docs/", "](", text)))
    return files
