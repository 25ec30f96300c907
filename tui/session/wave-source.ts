import type { Connection } from "../../lib/grpc/connection.js";
import { StartWaveRequest, WaveServiceService as service } from "../../proto/gen/zor/v1/wave_service.js";
import { watchWave } from "../client/watch-wave.js";
import { waveAgain } from "../kinds/operation/wave-spec.js";
import type { WaveSource } from "../screens/wave/wave-source.js";

const timeoutMs = 15_000;

/** Waves over a connection to a hub. */
export function createWaveSource(connection: Connection): WaveSource {
  const asked = (name: string): { name: string; requestId: string } => ({ name, requestId: crypto.randomUUID() });
  return {
    watch: (name, look) => watchWave(connection, name, look),
    pause: async (name, signal) => {
      await connection.unary(service.pauseWave, asked(name), { signal, timeoutMs });
    },
    resume: async (name, signal) => {
      await connection.unary(service.resumeWave, asked(name), { signal, timeoutMs });
    },
    again: async (wave, signal) => {
      const spec = waveAgain(wave);
      if (spec === undefined) return undefined;
      const request = StartWaveRequest.fromPartial({ spec, requestId: crypto.randomUUID() });
      const { operation } = await connection.unary(service.startWave, request, { signal, timeoutMs });
      return operation?.name;
    },
  };
}
