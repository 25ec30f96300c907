import { expect, it } from "vitest";
import { FetchTickets } from "../../../../agent/images/fetch-tickets.js";

const wanted = { sha256: "ab", peer: "beta" };
const ticket = (number: number): Buffer => Buffer.alloc(32, number);

it("is good once, for the host it is for", () => {
  const tickets = new FetchTickets();
  expect(tickets.allow(ticket(1), wanted, 60)).toBe(true);
  expect(tickets.use(ticket(1), "gamma")).toBeUndefined();
  expect(tickets.use(ticket(2), "beta")).toBeUndefined();
  expect(tickets.use(ticket(1), "beta")).toMatchObject(wanted);
  expect(tickets.use(ticket(1), "beta")).toBeUndefined();
});

it("is not good any more when its time is over, and makes room for others then", () => {
  const tickets = new FetchTickets();
  for (let number = 0; number < 256; number += 1) expect(tickets.allow(ticket(number), wanted, -1)).toBe(true);
  expect(tickets.use(ticket(7), "beta")).toBeUndefined();
  for (let number = 0; number < 256; number += 1) expect(tickets.allow(ticket(number), wanted, 60)).toBe(true);
  expect(tickets.allow(Buffer.alloc(32, "x"), { ...wanted, peer: "other" }, 60)).toBe(false);
});
