import { status } from "@grpc/grpc-js";
import { messageOf, ZorError } from "../../lib/errors.js";

// Primary result codes of SQLite: https://sqlite.org/rescode.html
const busy = 5;
const locked = 6;
const readOnly = 8;
const corrupt = 11;
const full = 13;
const cannotOpen = 14;
const notADatabase = 26;

/** Translates what node:sqlite throws; `file` is named for the operator of the hub. */
export function toStoreError(error: unknown, file: string): ZorError {
  if (error instanceof ZorError) return error;
  // node:sqlite puts SQLite's extended result code into `errcode`; the primary code is its low byte.
  const errcode = error instanceof Error && "errcode" in error ? Number(error.errcode) & 0xff : 0;
  switch (errcode) {
    case busy:
    case locked:
      return make(
        "STORE_LOCKED",
        status.FAILED_PRECONDITION,
        "the hub's database is locked: another hub runs on this state directory; stop it or use another --state",
        error,
      );
    case corrupt:
    case notADatabase:
      return make(
        "STORE_CORRUPT",
        status.DATA_LOSS,
        `the hub's database ${file} is damaged: restore it from a copy, or move it aside to begin with an empty fleet`,
        error,
      );
    case full:
      return make("STORE_FULL", status.RESOURCE_EXHAUSTED, "the hub's disk is full: nothing was changed", error);
    case readOnly:
    case cannotOpen:
      return make(
        "STORE_ERROR",
        status.UNAVAILABLE,
        `the hub's database ${file} cannot be written: check the rights of its directory`,
        error,
      );
    default:
      return make("STORE_ERROR", status.UNAVAILABLE, `the hub's database failed: ${messageOf(error)}`, error);
  }
}

function make(reason: string, code: status, message: string, cause: unknown): ZorError {
  return new ZorError({ reason, code, message, cause });
}
