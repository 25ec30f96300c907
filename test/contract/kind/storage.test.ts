import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { startAgentWorld } from "./agent-world.js";
import { describeKind } from "./contract.js";
import { pool, volume } from "./subjects.js";

const server = "an agent";
const storage = await realpath(await mkdtemp(join(tmpdir(), "zt-pools-")));
afterAll(() => rm(storage, { recursive: true, force: true }));

describeKind({ ...pool(storage), server, start: () => startAgentWorld(undefined, undefined, storage) });
describeKind({ ...volume, server, start: () => startAgentWorld() });
