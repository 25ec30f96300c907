import { run } from "../../../../agent/host/exec.js";
import { describe, expect, it } from "vitest";
import { CliRun } from "../../../helpers/zor-cli.js";

/** What bash makes of a line when "zor complete" offers these. */
async function completed(
  words: readonly string[],
  offers: readonly string[],
): Promise<{ asked: string; replies: string }> {
  const { stdout: script } = await new CliRun(["completion", "bash"]).result;
  const bash = `zor() { printf '%s|' "$@" >&3; printf '%s\\n' ${offers.map((offer) => `'${offer}'`).join(" ")}; }
${script}
COMP_WORDS=(zor ${words.map((word) => `'${word}'`).join(" ")}); COMP_CWORD=${words.length}
__zor_complete 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["-c", `exec 3>&1; ${bash}`]);
  const at = stdout.lastIndexOf("|") + 1;
  return { asked: stdout.slice(0, at), replies: stdout.slice(at).trim() };
}

describe("completion in bash", () => {
  it("takes a word with a colon for one, and replies with what comes after it", async () => {
    const found = await completed(["cp", "alpha/vm1", ":", "/et"], ["alpha/vm1:/etc/\tdirectory", "alpha/vm1:/usr/"]);
    expect(found).toEqual({ asked: "complete|--|cp|alpha/vm1:/et|", replies: "/etc/" });
    const begun = await completed(["cp", "alpha/vm1", ":"], ["alpha/vm1:/etc/"]);
    expect(begun).toEqual({ asked: "complete|--|cp|alpha/vm1:|", replies: "/etc/" });
  });

  it("replies with what begins as the word does, and no directive", async () => {
    expect((await completed(["st"], ["start\tdo", "stop\tdo", "get\tdo", ":4"])).replies).toBe("start\nstop");
    expect((await completed(["get", ""], ["hosts", ":4"])).replies).toBe("hosts");
  });
});
