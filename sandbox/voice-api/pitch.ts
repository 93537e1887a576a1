const WORKING_RATE = 8_000;
const LOWEST_HZ = 65;
const HIGHEST_HZ = 400;
const FRAME_SECONDS = 0.04;
const HOP_SECONDS = 0.02;
/** Share of a frame's energy that must repeat one period later for the frame to count as voiced. */
const VOICED_CORRELATION = 0.6;

/** The median pitch of the voiced frames in Hz; `undefined` when nothing in it is voiced. */
export function measurePitch(samples: Float32Array, sampleRate: number): number | undefined {
  const factor = Math.max(1, Math.floor(sampleRate / WORKING_RATE));
  const rate = sampleRate / factor;
  const signal = averageDown(samples, factor);
  const frameLength = Math.round(rate * FRAME_SECONDS);
  const hop = Math.round(rate * HOP_SECONDS);
  const quiet = 0.1 * loudness(signal, 0, signal.length);
  const pitches: number[] = [];
  const last = signal.length - frameLength - Math.ceil(rate / LOWEST_HZ) - 1;
  for (let start = 0; start < last; start += hop) {
    if (loudness(signal, start, frameLength) < quiet) continue;
    const pitch = measureFrame(signal, start, frameLength, rate);
    if (pitch !== undefined) pitches.push(pitch);
  }
  return pitches.sort((a, b) => a - b)[pitches.length >> 1];
}

function averageDown(samples: Float32Array, factor: number): Float32Array {
  const result = new Float32Array(Math.floor(samples.length / factor));
  for (let index = 0; index < result.length; index++) {
    let sum = 0;
    for (let part = 0; part < factor; part++) sum += samples[index * factor + part] ?? 0;
    result[index] = sum / factor;
  }
  return result;
}

/** Mean square of a stretch. */
function loudness(signal: Float32Array, start: number, length: number): number {
  let sum = 0;
  for (let index = start; index < start + length; index++) sum += (signal[index] ?? 0) ** 2;
  return length === 0 ? 0 : sum / length;
}

function measureFrame(signal: Float32Array, start: number, length: number, rate: number) {
  const longest = Math.ceil(rate / LOWEST_HZ);
  const correlations: number[] = [];
  let best = 0;
  for (let lag = Math.floor(rate / HIGHEST_HZ); lag <= longest; lag++) {
    correlations[lag] = correlate(signal, start, length, lag);
    best = Math.max(best, correlations[lag] ?? 0);
  }
  if (best < VOICED_CORRELATION) return undefined;
  // Multiples of the period correlate as well as the period itself: take the first peak that is nearly the best.
  const lag = correlations.findIndex(
    (value, at) => value >= 0.9 * best && value >= (correlations[at + 1] ?? -1),
  );
  return lag > 0 ? rate / (lag + peakOffset(correlations, lag)) : undefined;
}

function correlate(signal: Float32Array, start: number, length: number, lag: number): number {
  let product = 0;
  let here = 0;
  let there = 0;
  for (let index = start; index < start + length; index++) {
    const a = signal[index] ?? 0;
    const b = signal[index + lag] ?? 0;
    product += a * b;
    here += a * a;
    there += b * b;
  }
  return product / Math.sqrt(here * there + Number.EPSILON);
}

/** Where between the samples a parabola through three neighbours peaks, in samples. */
function peakOffset(values: readonly number[], at: number): number {
  const middle = values[at] ?? 0;
  const left = values[at - 1] ?? middle;
  const right = values[at + 1] ?? middle;
  const bend = left - 2 * middle + right;
  return bend === 0 ? 0 : (left - right) / (2 * bend);
}
