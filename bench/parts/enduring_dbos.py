"""DBOS's asynchronous workflows, a step each: ``python -m bench.parts.enduring_dbos FOLDER SECONDS``."""

from __future__ import annotations

import asyncio
import sys

from dbos import DBOS, SetWorkflowID

from bench.parts.enduring import Endured, endure


@DBOS.step()
async def step(number: int) -> int:
    return number


@DBOS.workflow()
async def record(number: int) -> int:
    return await step(number)


async def main(path: str, seconds: float) -> Endured:
    """Endure it."""
    DBOS(config={"name": "enduring", "system_database_url": f"sqlite:///{path}", "log_level": "CRITICAL"})
    DBOS.launch()

    async def write(number: int) -> None:
        with SetWorkflowID(str(number)):
            await record(number)

    found = await endure(write, seconds)
    there = {one.workflow_id for one in await DBOS.list_workflows_async(status="SUCCESS")}
    found.missing = sum(str(number) not in there for number in range(len(found.acknowledged)))
    return found


if __name__ == "__main__":
    asyncio.run(main(f"{sys.argv[1]}/dbos.sqlite", float(sys.argv[2]))).tell()
    DBOS.destroy()
