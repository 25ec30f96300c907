import { afterEach, describe, expect, it, vi } from "vitest";
import { sceneSvg } from "../../../tui/kit/map/as-svg.js";
import { Looks } from "../../../tui/kit/map/looks.js";
import { smallLab } from "../../fakes/topology.js";
import { eventually } from "../../helpers/eventually.js";
import { mapOf } from "../tui/kit/map/maps.js";
import { makeProgram, spell, type TestProgram } from "../tui/program.js";
import { showOn } from "../tui/shown.js";
import { feedPictureFleet, feedPluggedLab, feedSmallLab, historyInPictures, usedInPictures } from "./picture-fleet.js";
import { fillForm, markLog, passFrames, talkOnConsoles, tellOfRollout, tellOfWave } from "./picture-scenes.js";
import { terminalSvg } from "./terminal-svg.js";

// Ink's colours are decided by the environment when it is loaded.
vi.hoisted(() => {
  process.env["FORCE_COLOR"] = "1";
  delete process.env["NO_COLOR"];
  process.env["TZ"] = "UTC";
});

const size = { columns: 104, rows: 22 };
const open: { unmount(): void }[] = [];

afterEach(() => {
  for (const screen of open.splice(0)) screen.unmount();
});

/** What happens after the keys. */
type Scene = (made: TestProgram) => void | Promise<void>;

/** The terminal program after these keys, with the fleet of the pictures, as a terminal shows it. */
async function frameAfter(
  keys: readonly string[],
  feed = feedPictureFleet,
  shape = size,
  scene: Scene = () => undefined,
): Promise<string> {
  const made = makeProgram({ context: "lab", address: "10.0.0.5:7440", hasDots: true });
  const { model, controller, gateway, press } = made;
  gateway.history = historyInPictures(model.nowMs);
  gateway.used = { all: usedInPictures(), trouble: "" };
  feed(model);
  const shown = await showOn({ model, controller }, shape);
  open.push(shown);
  press(...keys);
  await scene(made);
  let frame = "";
  // What is asked for meanwhile comes later.
  await eventually(() => {
    const before = frame;
    frame = shown.frame();
    expect(frame).toBe(before);
  });
  return frame;
}

// The pictures of the README are made by this file: `npm run docs` writes them, everywhere else they are compared with what the program
// draws now. Where one differs and that is meant, run `npm run docs` and commit it.
describe("the pictures of the README show the terminal program as it is: npm run docs makes them anew", () => {
  it.each([
    { name: "instances", title: "zor tui: the instances of three hosts, one of which does not answer", keys: ["2"] },
    { name: "link", title: "zor tui: all that is known of a link", keys: ["4", "enter"] },
    { name: "help", title: "zor tui: the keys", keys: ["2", "?"] },
  ])("$name", async ({ name, title, keys }) => {
    const svg = terminalSvg(await frameAfter(keys), title);
    await expect(svg).toMatchFileSnapshot(`../../../docs/pictures/${name}.svg`);
  });
});

interface Picture {
  readonly name: string;
  readonly title: string;
  readonly keys: readonly string[];
  readonly feed: typeof feedPictureFleet;
  readonly scene?: Scene;
}

describe("the pictures of the screens", () => {
  it.each<Picture>([
    {
      ...{ name: "pulse", keys: ["0"], feed: feedPictureFleet },
      title: "zor tui: how the fleet is, what is wrong now and why, who uses the most",
    },
    {
      ...{
        name: "xray",
        keys: ["ctrl-x", "right", "right", "right", "right", "right", "right", "right"],
        feed: feedPluggedLab,
      },
      title: "zor tui: hosts, their lans and what is plugged into them, as a tree",
    },
    {
      ...{ name: "history", keys: ["2", "h", "H", ...Array<string>(14).fill("left")], feed: feedPictureFleet },
      title: "zor tui: what an instance used in the last hour, with a cursor",
    },
    {
      ...{ name: "top", keys: ["2", "u", "down", "down"], feed: feedPictureFleet },
      title: "zor tui: what instances use now, with a cursor",
    },
    {
      ...{
        name: "confirm",
        keys: ["2", "/", ...spell("r1 or r2 or fw"), "enter", "ctrl-a", "x"],
        feed: feedPluggedLab,
      },
      title: "zor tui: what is stopped, before it is stopped",
    },
    {
      ...{ name: "form", keys: ["2"], feed: feedPictureFleet, scene: fillForm },
      title: "zor tui: a form in which a machine is made, with the command that does the same",
    },
    {
      ...{ name: "log", keys: ["2"], feed: feedPictureFleet, scene: markLog },
      title: "zor tui: the log of an instance, followed",
    },
    {
      ...{ name: "frames", keys: ["2", "ctrl-k"], feed: feedPictureFleet, scene: passFrames },
      title: "zor tui: frames that pass an instance, decoded as they come",
    },
    {
      ...{ name: "console", keys: ["2", "c", "ctrl-]", "esc", "down", "c"], feed: feedPictureFleet },
      ...{ scene: talkOnConsoles, title: "zor tui: two consoles beside each other" },
    },
    {
      ...{ name: "rollout", keys: [], feed: feedPictureFleet, scene: tellOfRollout },
      title: "zor tui: an upgrade of hosts, as it goes",
    },
    {
      ...{ name: "wave", keys: ["2"], feed: feedPictureFleet, scene: tellOfWave },
      title: "zor tui: a wave that stops instances, as it goes",
    },
  ])("$name", async ({ name, title, keys, feed, scene }) => {
    const svg = terminalSvg(await frameAfter(keys, feed, { columns: 120, rows: 32 }, scene), title);
    await expect(svg).toMatchFileSnapshot(`../../../docs/tui/${name}.svg`);
  });
});

describe("the pictures of the map", () => {
  it("is the screen of the terminal program", async () => {
    const frame = await frameAfter(["4", "b"], feedSmallLab, { columns: 132, rows: 36 });
    const svg = terminalSvg(frame, "zor tui: the map of two hosts, with a box that impairs and a link that is down");
    await expect(svg).toMatchFileSnapshot("../../../docs/pictures/map.svg");
  });

  it("is what zor map -o svg prints", async () => {
    const { model, scene } = mapOf(smallLab());
    const svg = sceneSvg(scene("host"), new Looks(model.fleet), "zor map");
    await expect(svg).toMatchFileSnapshot("../../../docs/pictures/lab.svg");
  });
});

describe("a terminal's frame as SVG", () => {
  it("keeps text, place and colours, and nothing that XML would take for its own", () => {
    const svg = terminalSvg("a \x1b[32m●\x1b[39m\x1b[1m<b>\x1b[22m\n\x1b[7m x \x1b[27m", "t & t");
    expect(svg).toContain("<title>t &amp; t</title>");
    expect(svg).toContain('x="28.8" y="25.5" textLength="8.4" lengthAdjust="spacingAndGlyphs" fill="#98c379">●</text>');
    expect(svg).toContain('font-weight="bold">&lt;b&gt;</text>');
    expect(svg).toContain('<rect x="12" y="30" width="25.2" height="18" fill="#d7dae0"/>');
  });

  it("refuses what is no colour", () => {
    expect(() => terminalSvg("\x1b[2J", "t")).toThrow(/no colour/);
  });
});
