import { pino } from "pino";
import { describe, expect, it } from "vitest";
import type { Abilities } from "../../../agent/drivers/driver.js";
import { createDrivers } from "../../../agent/drivers/registry.js";

/** What people can have of each ability. A new one has no row until it has words here: the types do not let it be forgotten. */
const words: Readonly<Record<keyof Abilities, string>> = {
  discover: "shows what others made, and takes it over when asked (`zor adopt`)",
  console: "serial console or terminal (`zor console`)",
  logs: "what it said is kept (`zor logs`)",
  exec: "commands inside (`zor exec`, `zor cp`)",
  detach: "commands inside that stay (`zor exec -d`)",
  connect: "connections to servers inside (`zor port-forward`, `zor ssh`)",
  screen: "screen (`zor view`)",
  statistics: "statistics (`zor stats`)",
  keyboard: "keys (`zor send-key`)",
  shutdown: "is asked to shut down (`zor shutdown`)",
  pause: "is paused and goes on (`zor pause`)",
  reset: "is reset (`zor reset`)",
  suspend: "is suspended to disk (`zor suspend`)",
  change: "takes changes while it runs (`zor set instance`)",
  devices: "disks and interfaces are plugged while it runs",
  snapshot: "snapshots (`zor snapshot`)",
  copy: "clones (`zor clone`)",
  save: "is saved as an image (`zor save`)",
  backup: "backups (`zor backup`)",
  volumes: "volumes as disks (`zor volume`)",
  files: "files on its disks, running or not (`zor disk`)",
};

const networks = {
  tap: "taps, opened by the driver",
  join: "a net namespace that the driver joins",
  host: "devices of the host that its runtime takes",
  own: "none of ours",
} as const;

/** The table of docs/drivers.md, from what the drivers themselves say that they can do. */
function table(): string {
  const drivers = createDrivers({
    imageDirectories: [],
    stateDirectory: "/nonexistent",
    containerCapabilities: [],
    engines: { docker: "/nonexistent", podman: "/nonexistent" },
    registries: [],
    disk: {},
    log: pino({ level: "silent" }),
  });
  const row = (cells: readonly string[]) => `| ${cells.join(" | ")} |`;
  return [
    row(["", ...drivers.map(({ kind }) => kind)]),
    row(["---", ...drivers.map(() => "---")]),
    row(["network", ...drivers.map(({ network }) => networks[network])]),
    ...Object.entries(words).map(([ability, text]) =>
      row([text, ...drivers.map(({ can }) => (can[ability as keyof Abilities] === undefined ? "" : "yes"))]),
    ),
  ].join("\n");
}

describe("the table of drivers in the documents says what they can do: npm run docs makes it anew", () => {
  it("is docs/drivers.md", async () => {
    const page = [
      "# What each driver can do",
      "",
      "Made by `npm run docs` from the drivers themselves; a unit test compares it. What a driver cannot do on a host, and why, says `zor get host HOST -o yaml`",
      "(capabilities `driver.DRIVER.ABILITY`), and commands refuse it by name.",
      "",
      table(),
      "",
    ].join("\n");
    await expect(page).toMatchFileSnapshot("../../../docs/drivers.md");
  });
});
