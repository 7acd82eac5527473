"""A builtin that looks at XML."""

from __future__ import annotations

from xml.parsers import expat

from pydantic import Field

from evalrpc_server.evaluators.builtin.params import Negatable, OfOutput
from evalrpc_server.evaluators.builtin.registry import Gives, item_builtin
from evalrpc_server.evaluators.builtin.subject import Subject, kind_of, unfenced
from evalrpc_server.evaluators.builtin.verdicts import Scored, Verdict, WrongOutput


class XmlValidParams(OfOutput, Negatable):
    """Parameters of `xml_valid`."""

    root: str | None = Field(
        default=None, min_length=1, description="The name that the root element must have."
    )


@item_builtin(XmlValidParams, gives=Gives.BOOLEAN)
def xml_valid(params: XmlValidParams, subject: Subject) -> Verdict:
    """Whether the output is well-formed XML, also in a Markdown code fence.

    Entities are neither expanded nor fetched, and a document that declares some is refused as wrong.
    """
    output = subject.output(params.output_path)
    if not isinstance(output, str):
        raise WrongOutput(f"the output is {kind_of(output)}, not XML text")
    try:
        root = root_of(unfenced(output).strip())
    except ValueError as error:
        return Scored(value=False, comment=str(error))
    if params.root is not None and root != params.root:
        return Scored(value=False, comment=f"the root element is {root[:100]}")
    return True


def root_of(text: str) -> str:
    """Returns the name of the root element of well-formed XML.

    Raises:
        ValueError: it is not well-formed, or declares entities.
    """
    roots: list[str] = []

    def start(name: str, _: object) -> None:
        roots.append(name)
        parser.StartElementHandler = None

    def declared(*_: object) -> None:
        raise ValueError("declares entities")

    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = start
    parser.EntityDeclHandler = declared
    try:
        parser.Parse(text.encode(), True)  # noqa: FBT003 - the last piece; expat takes no keyword
    except expat.ExpatError as error:
        reason = expat.ErrorString(error.code)
        raise ValueError(f"is not XML: {reason} at line {error.lineno}, column {error.offset + 1}") from None
    return roots[0]
