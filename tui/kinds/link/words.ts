import type { Link } from "../../../proto/gen/zor/v1/link.js";
import { pathName, protectionOf } from "./facts.js";

/** How the frames of a link are protected, for people: a link in clear says so in capitals. */
export function protectionText(link: Link): string {
  switch (protectionOf(link)) {
    case "none":
      return "UNENCRYPTED";
    case "local":
      return "local";
    case "tls":
      return link.status?.protection || "TLS";
  }
}

/** The way of the frames, and that they go in clear if they do; empty when there is none. */
export function pathText(link: Link): string {
  const path = link.status === undefined ? "" : pathName(link.status.path);
  const isClear = protectionOf(link) === "none";
  return [path, isClear ? "UNENCRYPTED" : ""].filter((part) => part !== "").join(" ");
}
