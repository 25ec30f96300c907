import type { Capability, Fingerprint } from "../../proto/gen/zor/v1/host.js";

const required = ["root", "tun", "netns", "veth", "ovs"];
const width = 80;
const idWidth = 22;

/** Why the host cannot run an agent; empty when it can. */
export function findObstacles({ capabilities }: Fingerprint): string[] {
  const lacking = capabilities.filter(({ id, available }) => required.includes(id) && !available).map(({ id }) => id);
  const drivers = capabilities.filter(({ id }) => /^driver\.[a-z]+$/.test(id));
  return drivers.some(({ available }) => available) ? lacking : [...lacking, "any usable driver"];
}

/** The fingerprint as a table for a terminal of 80 columns. */
export function formatFingerprint(fingerprint: Fingerprint): string {
  const facts = [
    ["agent", fingerprint.agentVersion],
    ["system", `${fingerprint.operatingSystem}, kernel ${fingerprint.kernel}, ${fingerprint.architecture}`],
    ["cpu", `${fingerprint.cpus} x ${fingerprint.cpuModel}`],
    ["memory", `${fingerprint.memoryMib} MiB`],
  ] as const;
  const obstacles = findObstacles(fingerprint);
  return [
    ...facts.flatMap(([label, text]) => row("", label, text)),
    "",
    ...fingerprint.capabilities.flatMap((capability) => formatCapability(capability)),
    "",
    obstacles.length === 0
      ? "This machine can run an agent."
      : `This machine cannot run an agent: missing ${obstacles.join(", ")}.`,
    "",
  ].join("\n");
}

function formatCapability({ id, available, version, reason }: Capability): string[] {
  const text = [version, reason].filter((part) => part !== "").join("; ");
  return row(available ? "ok" : "--", id, text === "" ? "available" : text);
}

/** One entry, its text wrapped below itself. Everything that came from tools is escaped. */
function row(mark: string, label: string, text: string): string[] {
  const head = `${mark.padEnd(3)}${label.padEnd(idWidth)} `;
  const lines = wrap(text.replace(/\p{C}/gu, "?"), width - head.length);
  return lines.map((line, index) => (index === 0 ? head : " ".repeat(head.length)) + line);
}

function wrap(text: string, columns: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(/\s+/).flatMap((long) => long.match(new RegExp(`.{1,${columns}}`, "gu")) ?? [])) {
    if (line !== "" && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
