import { afterAll, describe, expect, it } from "vitest";
import { runOwned } from "../../helpers/owned.js";
import { eventually, type TestDemo } from "../test-demo.js";

/** The terminal interface, in a real terminal. */
export function describeTerminal(demo: () => TestDemo): void {
  const tmux = (...argv: string[]) => runOwned("tmux", ["-L", demo().name, ...argv], { env: demo().env });
  const screen = async () => (await tmux("capture-pane", "-p", "-t", "tui")).stdout;

  describe("zor tui in a terminal of 80 by 24", () => {
    afterAll(async () => {
      await tmux("kill-server");
    });

    it("shows both hosts, live", async () => {
      const began = performance.now();
      await tmux(
        "new-session",
        "-d",
        "-s",
        "tui",
        "-x",
        "80",
        "-y",
        "24",
        `${demo().launcher} tui; echo tui exit $?; exec sh`,
      );
      const first = await eventually("both hosts on the screen", 60_000, async () => {
        const text = await screen();
        return text.includes("alpha") && text.includes("beta") ? text : undefined;
      });
      console.log(`zor tui: both hosts on the screen after ${Math.round(performance.now() - began)} ms`);
      expect(first.split("\n").every((line) => line.length <= 80)).toBe(true);
    });

    it("gives the terminal back when it is left with q", async () => {
      await tmux("send-keys", "-t", "tui", "q");
      await eventually("the shell is back", 60_000, async () =>
        (await screen()).includes("tui exit 0") ? true : undefined,
      );
    });
  });
}
