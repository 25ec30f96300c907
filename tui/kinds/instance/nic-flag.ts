import { parseId } from "../../../lib/names.js";
import type { Nic } from "../../../proto/gen/zor/v1/instance.js";
import { parseFields, parseWhole, singleField } from "../../kit/input/key-values.js";

/** Parses one --nic: "lan=lan1,addr=10.0.0.1/24,mac=52:54:00:00:00:01,name=eth0,model=e1000,queues=2". */
export function parseNic(text: string): Nic {
  const fields = parseFields("--nic", text, ["lan", "addr", "mac", "name", "model", "queues"]);
  const lan = singleField("--nic", fields, "lan") ?? "";
  const queues = singleField("--nic", fields, "queues");
  return {
    name: singleField("--nic", fields, "name") ?? "",
    lan: lan === "" ? "" : parseId("--nic lan", lan),
    mac: singleField("--nic", fields, "mac") ?? "",
    addresses: fields.get("addr") ?? [],
    port: "",
    deviceAddress: "",
    model: singleField("--nic", fields, "model") ?? "",
    queues: queues === undefined ? 0 : parseWhole("--nic queues", queues, 1, 8),
  };
}
