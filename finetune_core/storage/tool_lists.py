"""Functions that a model may call, kept with a project under a name."""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from finetune_core.storage.database import now
from finetune_core.storage.tables import tool_list


@dataclass(frozen=True, slots=True)
class ToolList:
    """Functions in OpenAI's form under a name, which no other list of the project has."""

    name: str
    tools: tuple[dict[str, Any], ...]


def listing(connection: Connection, project_id: str) -> list[ToolList]:
    """The lists of a project in order of name; [] where there are none."""
    query = select(tool_list.c.name, tool_list.c.tools).where(tool_list.c.project_id == project_id)
    return [ToolList(name, tuple(tools)) for name, tools in connection.execute(query.order_by(tool_list.c.name))]


def get(connection: Connection, project_id: str, name: str) -> ToolList | None:
    """The list of that name, or None."""
    query = select(tool_list.c.tools).where(*_is(project_id, name))
    tools = connection.execute(query).scalar_one_or_none()
    return None if tools is None else ToolList(name, tuple(tools))


def save(connection: Connection, project_id: str, kept: ToolList) -> None:
    """Keep a list in place of the one of its name, if there is one."""
    tools = list(kept.tools)
    changed = connection.execute(update(tool_list).where(*_is(project_id, kept.name)).values(tools=tools))
    if not changed.rowcount:
        values = {"project_id": project_id, "name": kept.name, "tools": tools, "created_at": now()}
        connection.execute(insert(tool_list).values(values))


def remove(connection: Connection, project_id: str, name: str) -> bool:
    """Delete a list; whether there was one."""
    return bool(connection.execute(delete(tool_list).where(*_is(project_id, name))).rowcount)


def _is(project_id: str, name: str) -> tuple[Any, ...]:
    return (tool_list.c.project_id == project_id, tool_list.c.name == name)
