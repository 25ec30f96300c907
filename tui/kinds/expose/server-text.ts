import type { Expose } from "../../../proto/gen/zor/v1/expose.js";
import { shortName } from "../../kit/resource-name.js";

/** The server that an expose leads to: "alpha/web:80", "alpha/web:80 at 10.0.0.2 through eth1". */
export function serverText({ spec }: Expose): string {
  const { instance = "", port = 0, address = "", nic = "" } = spec ?? {};
  const at = address === "" ? "" : ` at ${address}`;
  return `${shortName(instance)}:${port}${at}${nic === "" ? "" : ` through ${nic}`}`;
}
