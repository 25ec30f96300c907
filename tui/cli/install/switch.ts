import { ownScript, startWith } from "./bring.js";
import type { HostFacts } from "./facts.js";
import type { Remote } from "./remote.js";
import type { Trial } from "./trial.js";

/** Making another version current, its program started anew, and the way back. Guests, cables and relays go on. */
export function switchOrBack(
  remote: Remote,
  { current, previous }: HostFacts,
  { id, unit }: { readonly id: string; readonly unit: string },
): Pick<Trial, "go" | "back" | "undone"> {
  const to = (version: string, then = ""): Promise<bigint> =>
    startWith(
      remote,
      unit,
      `sh ${ownScript(version)} switch ${version} >/dev/null${then} && systemctl restart ${unit}`,
    );
  // What did not run is not where a rollback goes: that is the version from before all this.
  const base = "/opt/zorhub";
  const keep =
    previous === "" || previous === current
      ? `rm -f ${base}/previous`
      : `ln -sfn versions/${previous} ${base}/.previous.new && mv -Tf ${base}/.previous.new ${base}/previous`;
  return {
    go: () => to(id),
    back: () => to(current, ` && ${keep}`),
    undone: `rolled back to ${current}`,
  };
}
