import { mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";
import { KeepingDriver } from "../../fakes/keeping-driver.js";
import { startAgentWorld } from "./agent-world.js";
import { describeKind, type KindWorld } from "./contract.js";
import { backup, instance, pool, snapshot, volume } from "./subjects.js";
import { Verbs } from "./verbs.js";

const server = "an agent";
const storage = await realpath(await mkdtemp(join(tmpdir(), "zt-pools-")));
afterAll(() => rm(storage, { recursive: true, force: true }));

describeKind({ ...pool(storage), server, start: () => startAgentWorld(undefined, undefined, { storage }) });
describeKind({ ...volume, server, start: () => startAgentWorld() });

/** An agent with an instance of which states can be kept. */
async function startKeeping(): Promise<KindWorld> {
  const world = await startAgentWorld([new KeepingDriver()], undefined, { backups: storage });
  const instances = new Verbs(instance.singular, world.operator(), world.parent);
  await instances.create("kept", { spec: instance.spec(1) }, instance.create);
  return world;
}

describeKind({ ...snapshot, server, start: startKeeping });
describeKind({ ...backup, server, start: startKeeping });
