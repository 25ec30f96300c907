import { storedKind } from "../../hub/kit/stored-kind.js";
import { invalidArgument } from "../../lib/errors.js";
import type { Memo } from "./gen/zor/test/v1/memo.js";
import "./register.js";

/** Memos live on the hub, which only keeps them. */
export const memoKind = storedKind<Memo>({
  kind: "memo",
  check: (wanted, name) => {
    const text = wanted.spec?.text ?? "";
    if (text === "") throw invalidArgument("memo.spec.text", "must be given", name);
    return { value: wanted };
  },
  view: (stored) => ({ ...stored, status: { length: stored.spec?.text.length ?? 0 } }),
});
