import { parseId } from "../../../lib/names.js";
import type { Nic } from "../../../proto/gen/zor/v1/instance.js";
import type { PortSettings } from "../../../proto/gen/zor/v1/port.js";
import { portKeys, readPortSettings } from "../../kit/input/port-settings-flag.js";
import { parseFields, parseWhole, singleField } from "../../kit/input/key-values.js";

/** Parses one --nic: "lan=lan1,addr=10.0.0.1/24,mac=52:54:00:00:00:01,name=eth0,model=e1000,queues=2". */
export function parseNic(text: string): Nic {
  const fields = parseFields("--nic", text, ["lan", "addr", "mac", "name", "model", "queues", ...portKeys]);
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
    portSettings: readPortSettings("--nic", fields),
  };
}

/** Parses one --port: the name of an interface, then its settings: "eth0,vlan=10"; the name alone: none. */
export function parsePort(text: string): { readonly nic: string; readonly settings: PortSettings | undefined } {
  const [nic = "", ...rest] = text.split(",");
  const fields = rest.length === 0 ? new Map<string, string[]>() : parseFields("--port", rest.join(","), portKeys);
  return { nic, settings: readPortSettings("--port", fields) };
}
