import { expect, test } from "vitest";
import { patientClock } from "../../../lib/patient-clock.js";

test("time passes as it is read, but not while nobody could read it", () => {
  let ms = 1_000;
  const clock = patientClock(() => ms);
  const began = clock();
  for (let step = 0; step < 10; step += 1) {
    ms += 50;
    clock();
  }
  expect(clock() - began).toBe(500);
  ms += 20_000;
  expect(clock() - began).toBe(750);
  ms += 100;
  expect(clock() - began).toBe(850);
});
