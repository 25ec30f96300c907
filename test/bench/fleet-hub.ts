// A made-up fleet to develop the terminal program against: npm run bench -- fleet-hub DIRECTORY HOSTS INSTANCES [CHURN_PER_SECOND] [--hostile]
import { mkdirSync } from "node:fs";
import { InstanceState } from "../../proto/gen/zor/v1/instance.js";
import { fakeEvent, hostId } from "../fakes/fleet-data.js";
import { FakeHub } from "../fakes/fleet-hub.js";

const [directory = "/tmp/zt-hub", hosts = "3", instances = "6", churn = "0"] = process.argv.slice(2);
const shape = {
  hosts: Number(hosts),
  instancesPerHost: Number(instances),
  unreachable: Number(hosts) > 2 ? 1 : 0,
  hostile: process.argv.includes("--hostile"),
  nowMs: Date.now(),
};
mkdirSync(directory, { recursive: true });
const hub = new FakeHub(directory, shape);
await hub.start();
process.stdout.write(`ZOR_CONFIG=${hub.configDirectory} pid=${process.pid} port=${hub.port}\n`);

let turn = 0;
const perSecond = Number(churn);
if (perSecond > 0) {
  setInterval(() => {
    turn += 1;
    const name = `hosts/${hostId(turn % shape.hosts)}/instances/vm${turn % shape.instancesPerHost}`;
    const state = turn % 2 === 0 ? InstanceState.INSTANCE_STATE_RUNNING : InstanceState.INSTANCE_STATE_STOPPED;
    hub.setState(name, state, turn % 7 === 0 ? "asked by a test" : "");
    hub.upsert(fakeEvent(1000 + turn, Date.now(), "instance.churned", `turn ${turn}`));
  }, 1000 / perSecond);
}
process.on("SIGTERM", () => process.exit(0));
