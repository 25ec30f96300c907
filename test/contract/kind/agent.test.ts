import { EchoDriver } from "../../extension/echo-driver.js";
import { startAgentWorld } from "./agent-world.js";
import { describeKind } from "./contract.js";
import { echo, gauge, instance, lan } from "./subjects.js";

const server = "an agent";

describeKind({ ...gauge, server, start: () => startAgentWorld() });
describeKind({ ...lan, server, start: () => startAgentWorld() });
describeKind({ ...instance, server, start: () => startAgentWorld() });
const driver = new EchoDriver();
describeKind({ ...echo, server: "an agent with a driver of the tests' own", start: () => startAgentWorld([driver]) });
