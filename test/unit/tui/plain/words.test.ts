import { expect, it } from "vitest";
import { words } from "../../../../tui/kit/spoken/words.js";

it.each([
  [" ● running", "running"],
  ["connected → lost", "connected to lost"],
  ["alpha/lan1 ↔ beta/lan1", "alpha/lan1 with beta/lan1"],
  [" ✗ failed   no memory left", "failed, no memory left"],
  [" cpu  ▁▂▃▄▅  0.52 cores, most 0.80", "cpu, 0.52 cores, most 0.80"],
  ["├── alpha  ● ready", "alpha, ready"],
  ["  ! the hub is lost", "the hub is lost"],
  ["0.42ms · 3%", "0.42ms, 3%"],
  ["[x] STATE", "on, STATE"],
  ["→2.1kb/s ←0", "there 2.1kb/s, back 0"],
])("says %j as it is read aloud", (drawn, said) => {
  expect(words(drawn)).toBe(said);
});
