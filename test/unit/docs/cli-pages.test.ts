import { readdirSync, readFileSync } from "node:fs";
import { expect, it } from "vitest";
import { manualOf, markdownOf, programManual, readPages } from "./cli-pages.js";

const root = "../../..";
const marker = "<!-- What follows is made of the commands by npm run docs. -->\n";

it("docs/cli.md and the manual pages are made of the commands as they are; npm run docs makes them anew", async () => {
  const { pages, shared } = await readPages();
  const [head = ""] = readFileSync("docs/cli.md", "utf8").split(marker);
  await expect(`${head}${marker}${markdownOf(pages, shared)}`).toMatchFileSnapshot(`${root}/docs/cli.md`);
  await expect(programManual(pages, shared)).toMatchFileSnapshot(`${root}/man/zor.1`);
  const names = ["zor.1"];
  for (const page of pages) {
    const name = `${page.path.replaceAll(" ", "-")}.1`;
    names.push(name);
    await expect(manualOf(page)).toMatchFileSnapshot(`${root}/man/${name}`);
  }
  const surplus = readdirSync("man").filter((name) => !names.includes(name));
  expect(surplus, "pages of commands that are gone").toEqual([]);
  // All commands are loaded: on a machine with much to do that takes its time.
}, 300_000);
