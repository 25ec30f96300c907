import { chmodSync, closeSync, openSync } from "node:fs";
import { DatabaseSync } from "node:sqlite";
import { status } from "@grpc/grpc-js";
import { ZorError } from "../../lib/errors.js";
import { toStoreError } from "./sqlite-errors.js";
import type { Change, CollectionName, Store, StoredRecord } from "./store.js";

/** Statement n brings the schema from version n to n + 1; PRAGMA user_version holds the version. Never edited, only appended. */
const migrations = [
  `CREATE TABLE records (
     collection TEXT NOT NULL,
     key TEXT NOT NULL,
     value BLOB NOT NULL,
     revision INTEGER NOT NULL,
     PRIMARY KEY (collection, key)
   ) WITHOUT ROWID`,
  // One counter for all records: a record that is deleted and made again never has an old revision.
  "CREATE TABLE counter (revision INTEGER NOT NULL)",
  "INSERT INTO counter (revision) VALUES (0)",
];

/**
 * A store in one SQLite file. The lock on it is exclusive and held while the store is open, so it also guards the state
 * directory: it goes away with the process, however that ends.
 */
export class SqliteStore implements Store {
  readonly #database: DatabaseSync;
  readonly #file: string;
  #open = true;

  private constructor(database: DatabaseSync, file: string) {
    this.#database = database;
    this.#file = file;
  }

  /** Opens or creates the file, mode 0600. @throws {ZorError} reasons STORE_LOCKED, STORE_CORRUPT, STORE_NEWER, STORE_ERROR. */
  static open(file: string): SqliteStore {
    let database: DatabaseSync | undefined;
    try {
      // SQLite gives its log and journal files the mode of the database.
      closeSync(openSync(file, "a", 0o600));
      chmodSync(file, 0o600);
      database = new DatabaseSync(file, { timeout: 0 });
      database.exec("PRAGMA locking_mode = EXCLUSIVE");
      database.exec("PRAGMA journal_mode = WAL");
      // FULL syncs the log at every commit: what is acknowledged survives a power cut.
      database.exec("PRAGMA synchronous = FULL");
      migrate(database);
      checkIntegrity(database);
      return new SqliteStore(database, file);
    } catch (error) {
      database?.close();
      throw toStoreError(error, file);
    }
  }

  async get(collection: CollectionName, key: string): Promise<StoredRecord | undefined> {
    return this.#run(() => {
      const row = this.#database
        .prepare("SELECT key, value, revision FROM records WHERE collection = ? AND key = ?")
        .get(collection, key);
      return row === undefined ? undefined : toRecord(row);
    });
  }

  async list(collection: CollectionName): Promise<readonly StoredRecord[]> {
    return this.#run(() =>
      this.#database
        .prepare("SELECT key, value, revision FROM records WHERE collection = ? ORDER BY key")
        .all(collection)
        .map(toRecord),
    );
  }

  async commit(changes: readonly Change[]): Promise<void> {
    this.#run(() => {
      this.#database.exec("BEGIN IMMEDIATE");
      try {
        for (const change of changes) this.#apply(change);
        this.#database.exec("COMMIT");
      } catch (error) {
        // A full disk may have rolled it back already.
        if (this.#database.isTransaction) this.#database.exec("ROLLBACK");
        throw error;
      }
    });
  }

  async close(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    this.#database.close();
  }

  #apply(change: Change): void {
    const { collection, key } = change;
    if (change.expect !== undefined) {
      const row = this.#database
        .prepare("SELECT revision FROM records WHERE collection = ? AND key = ?")
        .get(collection, key);
      const actual = row === undefined ? 0n : BigInt(Number(row["revision"]));
      if (actual !== change.expect) throw conflict(collection, key);
    }
    if (change.type === "delete") {
      this.#database.prepare("DELETE FROM records WHERE collection = ? AND key = ?").run(collection, key);
      return;
    }
    this.#database.exec("UPDATE counter SET revision = revision + 1");
    this.#database
      .prepare(
        `INSERT INTO records (collection, key, value, revision) VALUES (?, ?, ?, (SELECT revision FROM counter))
         ON CONFLICT (collection, key) DO UPDATE SET value = excluded.value, revision = excluded.revision`,
      )
      .run(collection, key, change.value);
  }

  #run<T>(work: () => T): T {
    if (!this.#open) {
      throw new ZorError({ reason: "STORE_CLOSED", code: status.UNAVAILABLE, message: "the hub is shutting down" });
    }
    try {
      return work();
    } catch (error) {
      throw toStoreError(error, this.#file);
    }
  }
}

function migrate(database: DatabaseSync): void {
  const version = Number(database.prepare("PRAGMA user_version").get()?.["user_version"] ?? 0);
  if (version > migrations.length) {
    throw new ZorError({
      reason: "STORE_NEWER",
      code: status.FAILED_PRECONDITION,
      message: `the hub's database has schema ${version}, this hub knows ${migrations.length}: run a newer hub`,
    });
  }
  // Also takes the exclusive lock, which is then kept.
  database.exec("BEGIN EXCLUSIVE");
  try {
    for (const statement of migrations.slice(version)) database.exec(statement);
    database.exec(`PRAGMA user_version = ${migrations.length}`);
    database.exec("COMMIT");
  } catch (error) {
    if (database.isTransaction) database.exec("ROLLBACK");
    throw error;
  }
}

function checkIntegrity(database: DatabaseSync): void {
  const verdict = database.prepare("PRAGMA quick_check(1)").get()?.["quick_check"];
  if (verdict !== "ok")
    throw Object.assign(new Error(typeof verdict === "string" ? verdict : "the check gave no answer"), { errcode: 11 });
}

function toRecord(row: Record<string, unknown>): StoredRecord {
  const { key, value, revision } = row;
  if (typeof key !== "string" || !(value instanceof Uint8Array)) throw new TypeError("a record has the wrong type");
  return { key, value, revision: BigInt(Number(revision)) };
}

function conflict(collection: CollectionName, key: string): ZorError {
  return new ZorError({
    reason: "STORE_CONFLICT",
    code: status.ABORTED,
    message: `${collection} ${key} was changed by another call at the same time: look at it and try again`,
  });
}
