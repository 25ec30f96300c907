import type { Capability } from "../../../proto/gen/zor/v1/host.js";
import { missing, present } from "../../host/capability.js";
import { run } from "../../host/exec.js";
import { explain, virsh } from "./virsh.js";

const id = "driver.libvirt";
const limitMs = 5000;

/** Whether libvirt can be asked, and which of the connections answer. Never throws. */
export async function probeLibvirt(uris: readonly string[], signal: AbortSignal): Promise<readonly Capability[]> {
  if (uris.length === 0)
    return [missing(id, 'no connection is named; set libvirt in the agent\'s settings, such as ["qemu:///system"]')];
  try {
    const { stdout } = await run("virsh", ["--version"], { signal, timeoutMs: limitMs });
    const each = await Promise.all(uris.map((uri, index) => probeConnection(uri, { index, signal })));
    return [present(id, stdout.trim().slice(0, 32), uris.join(" ")), ...each];
  } catch (error) {
    return [missing(id, explain(error, ""))];
  }
}

async function probeConnection(
  uri: string,
  { index, signal }: { readonly index: number; readonly signal: AbortSignal },
): Promise<Capability> {
  const name = `${id}.connection.${index}`;
  try {
    const printed = await virsh(["version"], { uri, signal, timeoutMs: limitMs });
    const hypervisor = /^Running hypervisor: ([\x20-\x7e]{1,60})$/m.exec(printed)?.[1] ?? "";
    return present(name, hypervisor, uri);
  } catch (error) {
    return missing(name, `${uri}: ${explain(error, uri)}`);
  }
}
