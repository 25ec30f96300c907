import { run } from "../../../../agent/host/exec.js";
import { describe, expect, it } from "vitest";
import { CliRun } from "../../../helpers/zor-cli.js";

/** What bash asks when a line is completed, and what it makes of the answer. */
async function completed(
  line: string,
  answer: readonly string[],
  key = 9,
): Promise<{ readonly asked: string; readonly replies: string }> {
  const { stdout: script } = await new CliRun(["completion", "bash"]).result;
  const bash = `zor() { printf '%s|' "$@" >&3; printf '%s\\n' ${answer.map((each) => `'${each}'`).join(" ")}; }
${script}
COMP_LINE=$1; COMP_POINT=\${#COMP_LINE}; COMP_TYPE=${key}; COMP_WORDBREAKS=' ='
__zor_complete 2>/dev/null; printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout } = await run("bash", ["-c", `exec 3>&1; ${bash}`, "bash", line]);
  const at = stdout.lastIndexOf("|") + 1;
  return { asked: stdout.slice(0, at), replies: stdout.slice(at).trim() };
}

describe("completion in bash", () => {
  it("asks with the line as it is typed, and runs nothing of it", async () => {
    const line = "zor stop '$(echo ran >&3)' `echo ran >&3` \"al";
    const { asked } = await completed(line, [":4"]);
    expect(asked).toBe(`complete|--shell|bash|--breaks| =|--key|9|--|${line}|`);
  });

  it("replies with what it is told, however that looks, and no directive", async () => {
    expect((await completed("zor st", ["start", "stop", ":4"])).replies).toBe("start\nstop");
    expect((await completed("zor query ", ["$(reboot) *", "  a b", ":4"], 63)).replies).toBe("$(reboot) *\n  a b");
    expect((await completed("zor x", [":0"])).replies).toBe("");
  });
});
