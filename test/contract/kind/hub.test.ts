import { hubKinds } from "../../../hub/kinds/index.js";
import { memoKind } from "../../extension/memo-hub-kind.js";
import { describeKind } from "./contract.js";
import { startHubWorld } from "./hub-world.js";

// A kind of which no program knows, that takes part by the list of the hub's kinds alone.
describeKind({
  singular: "memo",
  server: "a hub",
  start: () => startHubWorld([...hubKinds, memoKind]),
  spec: (number) => ({ text: `number ${number}`, about: "" }),
  bad: { spec: { text: "" }, field: "memo.spec.text" },
  change: { spec: { text: "done" }, path: "spec.text" },
});
