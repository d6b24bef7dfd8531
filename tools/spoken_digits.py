"""Synthesise the ten digits in many voices for rnn_helpers/sounds/digits.npz: `python -m tools.spoken_digits`.

The file is in the repository; this program created it and can create another. It needs espeak-ng (on Debian: apt-get
install espeak-ng; version 1.51 was used).
"""

from __future__ import annotations

import io
import shutil
import subprocess
import wave
from collections.abc import Iterator

import numpy as np

from rnn_helpers.speech import FILE, RATE, TAKES, VOICES, compressed

ACCENTS = ("en-gb", "en-us", "en-gb-scotland", "en-gb-x-rp", "en-gb-x-gbclan", "en-gb-x-gbcwmd", "en-029")
SPEAKERS = ("", "m1", "m3", "m5", "m7", "f1", "f2", "f3", "f4", "f5", "klatt2", "klatt4")
SPEEDS, PITCHES = (120, 190), (25, 75)  # words per minute; espeak's scale, default 50
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
SILENT = 0.02  # relative to the peak: softer samples at both ends are trimmed
SEED = 11


def main() -> None:
    """Write the file and print its size."""
    if not shutil.which("espeak-ng"):
        raise SystemExit("espeak-ng is not installed; on Debian: sudo apt-get install espeak-ng")
    clips = list(_clips(np.random.default_rng(SEED)))
    FILE.parent.mkdir(exist_ok=True)
    np.savez_compressed(
        FILE,
        sound=np.concatenate([compressed(sound) for *_, sound in clips]),
        ends=np.cumsum([len(sound) for *_, sound in clips]),
        voice=np.array([voice for voice, *_ in clips], dtype=np.uint8),
        take=np.array([take for _, take, *_ in clips], dtype=np.uint8),
        digit=np.array([digit for _, _, digit, _ in clips], dtype=np.uint8),
        names=np.array(_voices(np.random.default_rng(SEED))),
    )
    seconds = sum(len(sound) for *_, sound in clips) / RATE
    print(f"{len(clips)} clips, {seconds:.0f} s, {FILE.stat().st_size / 1e6:.2f} MB in {FILE}")


def _voices(rng: np.random.Generator) -> list[str]:
    pairs = [f"{accent}+{speaker}".rstrip("+") for accent in ACCENTS for speaker in SPEAKERS]
    return [pairs[number] for number in rng.permutation(len(pairs))[:VOICES]]


def _clips(rng: np.random.Generator) -> Iterator[tuple[int, int, int, np.ndarray]]:
    """Yield (voice, take, digit, sound) of each clip."""
    for voice, name in enumerate(_voices(rng)):
        for take in range(TAKES):
            speed, pitch = rng.integers(*SPEEDS), rng.integers(*PITCHES)
            for digit, word in enumerate(WORDS):
                yield voice, take, digit, _trim(_synthesise(word, name, int(speed), int(pitch)))


def _synthesise(word: str, voice: str, speed: int, pitch: int) -> np.ndarray:
    """Return the spoken word from espeak-ng: (samples,) from -1 to 1, at RATE samples per second."""
    command = ["espeak-ng", "--stdout", "-v", voice, "-s", str(speed), "-p", str(pitch), word]
    spoken = subprocess.run(command, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(spoken)) as file:
        rate = file.getframerate()
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")  # the header states too large a number
    return _resample(samples / 32768.0, rate)


def _resample(sound: np.ndarray, rate: int) -> np.ndarray:
    """Return the sound at RATE samples per second, without frequencies above RATE / 2, which would alias."""
    count = round(len(sound) * RATE / rate)
    spectrum = np.fft.rfft(sound)[: count // 2 + 1]
    return np.fft.irfft(spectrum, count) * count / len(sound)


def _trim(sound: np.ndarray) -> np.ndarray:
    """Return the sound normalised to its peak, without leading and trailing silence."""
    sound = 0.9 * sound / np.abs(sound).max()
    loud = np.flatnonzero(np.abs(sound) > SILENT)
    return sound[loud[0] : loud[-1] + 1]


if __name__ == "__main__":
    main()
