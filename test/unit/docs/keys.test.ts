import { describe, expect, it } from "vitest";
import { keysPage } from "../../../tui/app/keymap-text.js";
import { everyCommand } from "../../../tui/screens/every-command.js";
import { makeProgram } from "../tui/program.js";

describe("the table of keys in the documents is the program's own: npm run docs makes it anew", () => {
  it("is docs/tui/keys.md", async () => {
    const page = [
      "# Keys of the terminal interface",
      "",
      "Made by `npm run docs` from the table of keys that the footer and the help are made of; a unit test compares it. `?` shows the keys of the place",
      "that you are at, and `/` searches there. The ids are what `keys.yaml` binds: [settings.md](settings.md). On tables an upper-case letter sorts by the",
      "column that the help names with it.",
      "",
      keysPage(everyCommand(makeProgram().program)),
    ].join("\n");
    await expect(page).toMatchFileSnapshot("../../../docs/tui/keys.md");
  });
});
