import { status } from "@grpc/grpc-js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Connection } from "../../../lib/grpc/connection.js";
import { unpack } from "../../../lib/kinds/resource.js";
import { WatchRequest, WatchServiceService } from "../../../proto/gen/zor/v1/watch_service.js";
import { type AnyMeta, Verbs } from "./verbs.js";

type Fields = Readonly<Record<string, unknown>>;

/** A server on which resources of a kind are made, while a suite runs. */
export interface KindWorld {
  /** "hosts/h1"; "" for kinds of the hub. */
  readonly parent: string;
  /** Of the newest run of the server. */
  readonly operator: () => Connection;
  readonly viewer: () => Connection;
  /** Identity of the operator, "zor://user/ana". */
  readonly identity: string;
  /** Ends what keeps the resources (the agent, or the hub) and starts it again. */
  restart(): Promise<void>;
  close(): Promise<void>;
}

/** What the suite needs to know of a kind to make resources of it. */
export interface KindSubject {
  readonly singular: string;
  /** "an agent", "a hub" */
  readonly server: string;
  start(): Promise<KindWorld>;
  /** A specification that is good for a resource with that number. */
  spec(number: number): Fields;
  /** One that is not, and the field that is at fault. */
  readonly bad: { readonly spec: Fields; readonly field: string };
  /** More fields of the request that creates one. */
  readonly create?: Fields;
  /** A change of the first specification; undefined: specifications of this kind cannot be changed. */
  readonly change?: { readonly spec: Fields; readonly path: string };
  /** Ids of those that are always there, before all that the suite makes; default: none. */
  readonly builtIn?: readonly string[];
}

/**
 * What every kind of resource promises, whatever it is and whoever serves it: the standard methods, paging, filters and orders, masks
 * and etags, request ids, checks without effect, watches, roles, and that nothing acknowledged is lost.
 */
export function describeKind(subject: KindSubject): void {
  const { singular, change, builtIn = [] } = subject;
  describe(`${singular} at ${subject.server}`, () => {
    let world: KindWorld;
    const operator = (): Verbs => new Verbs(singular, world.operator(), world.parent);
    const viewer = (): Verbs => new Verbs(singular, world.viewer(), world.parent);
    const make = (id: string, number: number, more: Fields = {}): Promise<AnyMeta> =>
      operator().create(id, { spec: subject.spec(number), ...more }, subject.create);
    /** What a hub is told of by an agent is there a moment later. */
    const soon = (look: () => Promise<unknown>) => expect.poll(look, { timeout: 60_000 });

    beforeAll(async () => {
      world = await subject.start();
    });
    afterAll(() => world?.close());

    it("is made with identity, times, labels and annotations, and got as it was made", async () => {
      const made = await make("made", 1, { labels: { site: "paris" }, annotations: { note: "for the lab" } });
      expect(made).toMatchObject({
        name: operator().nameOf("made"),
        labels: { site: "paris" },
        annotations: { note: "for the lab" },
      });
      expect(made.uid).not.toBe("");
      expect(made.etag).not.toBe("");
      expect(made.createTime).toBeInstanceOf(Date);
      const { name, uid, etag, labels, annotations, createTime, updateTime } = made;
      expect(await viewer().get("made")).toMatchObject({
        name,
        uid,
        etag,
        labels,
        annotations,
        createTime,
        updateTime,
      });
    });

    it.each([
      ["twice", "made", {}, { code: status.ALREADY_EXISTS }],
      ["under a name that is none", "../made", {}, { code: status.INVALID_ARGUMENT }],
      ["with labels that are none", "new", { labels: { "a b": "c" } }, { code: status.INVALID_ARGUMENT }],
    ])("is not made %s", async (_how, id, more, error) => {
      await expect(make(id, 1, more)).rejects.toMatchObject(error);
      await expect(operator().get("new")).rejects.toMatchObject({ code: status.NOT_FOUND });
    });

    it("is not made of what is wrong, and the field is named", async () => {
      await expect(operator().create("new", { spec: subject.bad.spec })).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [expect.objectContaining({ field: subject.bad.field })],
      });
      await expect(operator().get("new")).rejects.toMatchObject({ code: status.NOT_FOUND });
    });

    it("is made by whoever names where, and nowhere else", async () => {
      if (world.parent === "") return;
      for (const parent of ["", "hosts/-", "hosts"]) {
        await expect(operator().create("new", { spec: subject.spec(1) }, { parent })).rejects.toMatchObject({
          code: status.INVALID_ARGUMENT,
          violations: [expect.objectContaining({ field: "parent" })],
        });
      }
    });

    it("is only checked with validate_only", async () => {
      await operator().create("new", { spec: subject.spec(1) }, { ...subject.create, validateOnly: true });
      await expect(operator().get("new")).rejects.toMatchObject({ code: status.NOT_FOUND });
      await expect(operator().create("new", { spec: subject.bad.spec }, { validateOnly: true })).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
      });
      const before = await operator().get("made");
      await operator().update("made", { labels: { site: "rome" } }, { updateMask: ["labels"], validateOnly: true });
      await operator().delete("made", { validateOnly: true });
      expect(await operator().get("made")).toMatchObject({ etag: before.etag, labels: before.labels });
    });

    it("is made once for one request id, and refuses it for another request", async () => {
      const more = { ...subject.create, requestId: `once-${singular}` };
      const first = await operator().create("once", { spec: subject.spec(2) }, more);
      expect((await operator().create("once", { spec: subject.spec(2) }, more)).uid).toBe(first.uid);
      await expect(operator().create("other", { spec: subject.spec(2) }, more)).rejects.toMatchObject({
        reason: "REQUEST_ID_REUSED",
      });
      const removal = { requestId: `gone-${singular}` };
      await operator().delete("once", removal);
      await operator().delete("once", removal);
      await expect(operator().get("once")).rejects.toMatchObject({ code: status.NOT_FOUND });
    });

    it("is listed by pages, in order, each once", async () => {
      for (const [id, number] of [
        ["p1", 3],
        ["p2", 4],
        ["p3", 5],
      ] as const)
        await make(id, number, { labels: { row: id } });
      const wanted = [...builtIn, "made", "p1", "p2", "p3"].map((id) => operator().nameOf(id));
      await soon(async () => (await viewer().list()).resources.map(({ name }) => name)).toEqual(wanted);
      const seen: string[] = [];
      let pageToken = "";
      do {
        const page = await viewer().list({ pageSize: 3, pageToken });
        expect(page.totalSize).toBe(wanted.length);
        seen.push(...page.resources.map(({ name }) => name));
        pageToken = page.nextPageToken;
      } while (pageToken !== "");
      expect(seen).toEqual(wanted);
      const down = await viewer().list({ orderBy: "name desc" });
      expect(down.resources.map(({ name }) => name)).toEqual([...wanted].reverse());
    });

    it("is listed where it lives, and everywhere", async () => {
      if (world.parent === "") return;
      const names = async (parent: string) => (await viewer().list({ parent })).resources.map(({ name }) => name);
      expect(await names("hosts/-")).toEqual(await names(world.parent));
      expect(await names("")).toEqual(await names(world.parent));
    });

    it("is found by labels, and by its name", async () => {
      const found = async (filter: string) => (await viewer().list({ filter })).resources.map(({ name }) => name);
      expect(await found("labels.site = paris")).toEqual([operator().nameOf("made")]);
      expect(await found("labels.row = p2 OR labels.row = p3")).toEqual(
        ["p2", "p3"].map((id) => operator().nameOf(id)),
      );
      expect(await found("p1")).toEqual([operator().nameOf("p1")]);
    });

    it.each([
      ["filter", { filter: "spec.colour = red" }, "filter"],
      ["order", { orderBy: "colour" }, "order_by"],
      ["page", { pageToken: "nonsense" }, "page_token"],
    ])("names the known fields when a %s is of none", async (_what, more, field) => {
      await expect(viewer().list(more)).rejects.toMatchObject({
        code: status.INVALID_ARGUMENT,
        violations: [expect.objectContaining({ field })],
      });
    });

    it("is changed where the mask says, and nowhere else", async () => {
      const before = await operator().get("made");
      const after = await operator().update(
        "made",
        { labels: { site: "rome" }, annotations: {} },
        { updateMask: ["labels"] },
      );
      expect(after).toMatchObject({ uid: before.uid, labels: { site: "rome" }, annotations: before.annotations });
      expect(after.etag).not.toBe(before.etag);
      expect(after.updateTime?.getTime()).toBeGreaterThanOrEqual(before.createTime?.getTime() ?? 0);
      const one = await operator().update("made", { labels: { rack: "7" } }, { updateMask: ["labels.rack"] });
      expect(one.labels).toEqual({ site: "rome", rack: "7" });
      if (change === undefined) return;
      const changed = await operator().update("made", { spec: change.spec }, { updateMask: [change.path] });
      expect(changed.labels).toEqual(one.labels);
      expect(changed.spec).toMatchObject(change.spec);
    });

    it("is not changed by a bad mask, bad values, or whoever looked too early", async () => {
      const before = await operator().get("made");
      const refused = (fields: Fields, updateMask: readonly string[]) =>
        expect(operator().update("made", fields, { updateMask })).rejects;
      await refused({ uid: "x" }, ["uid"]).toMatchObject({ code: status.INVALID_ARGUMENT });
      await refused({}, ["colour"]).toMatchObject({ code: status.INVALID_ARGUMENT });
      await refused({ labels: { "a b": "" } }, ["labels"]).toMatchObject({ code: status.INVALID_ARGUMENT });
      await operator().update("made", { labels: { site: "oslo" } }, { updateMask: ["labels.site"] });
      await refused({ etag: before.etag, labels: {} }, ["labels"]).toMatchObject({
        code: status.ABORTED,
        reason: "ETAG_MISMATCH",
        message: expect.stringContaining(world.identity),
      });
      expect((await operator().get("made")).labels).toEqual({ ...before.labels, site: "oslo" });
      await expect(operator().update("nobody", { labels: {} }, { updateMask: ["labels"] })).rejects.toMatchObject({
        code: status.NOT_FOUND,
      });
    });

    it("is told of to whoever watches", async () => {
      const ending = new AbortController();
      const seen: string[] = [];
      const request = WatchRequest.fromPartial({ kinds: [singular] });
      const watching = (async () => {
        for await (const { step } of world
          .viewer()
          .stream(WatchServiceService.watch, request, { signal: ending.signal })) {
          const told = step?.$case === "upsert" ? unpack(step.value) : undefined;
          if (told !== undefined) {
            expect(told.kind).toBe(singular);
            seen.push(`${told.value.name} ${(told.value as AnyMeta).labels["w"] ?? ""}`);
          } else if (step?.$case === "removed") seen.push(`-${step.value.kind} ${step.value.name}`);
        }
      })().catch(() => undefined);
      await make("watched", 6);
      await operator().update("watched", { labels: { w: "1" } }, { updateMask: ["labels"] });
      const name = operator().nameOf("watched");
      await soon(async () => seen).toContain(`${name} 1`);
      await operator().delete("watched");
      await soon(async () => seen).toContain(`-${singular} ${name}`);
      ending.abort();
      await watching;
    });

    it("is looked at by viewers and touched by operators", async () => {
      const denied = { code: status.PERMISSION_DENIED };
      await expect(viewer().create("new", { spec: subject.spec(1) })).rejects.toMatchObject(denied);
      await expect(viewer().update("made", { labels: {} }, { updateMask: ["labels"] })).rejects.toMatchObject(denied);
      await expect(viewer().delete("made")).rejects.toMatchObject(denied);
    });

    it("is there after a restart, with all that was acknowledged", async () => {
      const { uid, etag, labels, annotations, createTime, spec } = await operator().get("made");
      await world.restart();
      const again = await operator().get("made");
      expect(again).toMatchObject({ uid, etag, labels, annotations, createTime });
      expect(again.spec).toEqual(spec);
      await soon(async () => (await viewer().list()).resources.length).toBe(builtIn.length + 4);
      // Request ids are remembered too.
      const more = { ...subject.create, requestId: `kept-${singular}` };
      const made = await operator().create("kept", { spec: subject.spec(7) }, more);
      await world.restart();
      expect((await operator().create("kept", { spec: subject.spec(7) }, more)).uid).toBe(made.uid);
    });

    it("is deleted once, and then unknown by name", async () => {
      for (const id of ["made", "p1", "p2", "p3", "kept"]) await operator().delete(id);
      await expect(operator().get("made")).rejects.toMatchObject({
        code: status.NOT_FOUND,
        message: expect.stringContaining(operator().nameOf("made")),
      });
      await expect(operator().delete("made")).rejects.toMatchObject({ code: status.NOT_FOUND });
      const left = async () => (await viewer().list()).resources.map(({ name }) => name);
      const always = builtIn.map((id) => operator().nameOf(id));
      await soon(left).toEqual(always);
      await world.restart();
      await soon(left).toEqual(always);
      for (const id of builtIn) {
        await expect(operator().delete(id, { validateOnly: true })).rejects.toMatchObject({
          code: status.FAILED_PRECONDITION,
        });
      }
    });
  });
}
