"""The MCP server: its tools are the endpoints, and without the extra one sentence says how to get it."""

import asyncio
import sys

import pytest

from apps.demo import build, check_mcp, launch, serve


def test_without_the_extra_a_sentence_says_how_to_get_it(monkeypatch, shelf):
    monkeypatch.setitem(sys.modules, "mcp", None)  # as if it were not installed
    with pytest.raises(ValueError, match=r'pip install "textae\[mcp\]"'):
        check_mcp()
    with pytest.raises(ValueError, match=r'pip install "textae\[mcp\]"'):
        serve(["no such model"], port=0, mcp=True)  # before any model is opened


@pytest.mark.slow
def test_tools_are_the_endpoints_and_answer(shelf):
    mcp = pytest.importorskip("mcp", reason='needs pip install "textae[mcp]"')
    from mcp.client.streamable_http import streamablehttp_client

    page = build(shelf)
    address = launch(page, mcp=True)

    async def talk():
        async with streamablehttp_client(f"{address}gradio_api/mcp/") as (read, write, _), mcp.ClientSession(read, write) as session:
            await session.initialize()
            tools = {tool.name: tool for tool in (await session.list_tools()).tools}
            said = await session.call_tool("sample", {"num": 2, "seed": 1})
            refused = await session.call_tool("sample", {"num": 10**9})
            return tools, said, refused

    try:
        tools, said, refused = asyncio.run(talk())
    finally:
        page.close(verbose=False)
    assert {"interpolate", "edit", "models", "encode"} <= set(tools) and not any("lambda" in name for name in tools)
    assert "latent space" in tools["interpolate"].description and "steps" in tools["interpolate"].inputSchema["properties"]
    assert not said.isError and said.content
    assert "from 1 to 50" in str(refused.content)
