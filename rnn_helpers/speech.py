"""Spoken digits: recordings, spectral features, and sequences of digits with a label for each frame.

The sounds were made with espeak-ng by tools/spoken_digits.py; rnn_helpers/sounds/README.md is their data card.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np

RATE = 8000  # samples per second, as on a telephone
HOP, WINDOW = 200, 256  # samples from one frame to the next, 25 ms, and in each, 32 ms
BANDS = 20  # frequency bands, on the mel scale
SILENCE = 10  # the label of a silent frame; 0 to 9 are the digits
VOICES = 36  # of 84 pairs of an accent and a speaker
HEARD, UNHEARD = range(24), range(24, VOICES)  # training voices and test voices
TAKES = 2  # recordings of each digit by each voice, with different speed and pitch
QUIET = 1e-4  # added to the energy, so that the logarithm is finite
CURVE = 255  # of the mu-law, which telephones use
FILE = Path(__file__).parent / "sounds" / "digits.npz"


@dataclass(frozen=True)
class Utterance:
    """A recording of spoken digits.

    sound: (samples,) from -1 to 1, RATE a second; digits: the spoken digits
    labels: (frames,), the digit that is spoken in each frame, or SILENCE
    """

    sound: np.ndarray
    digits: list[int]
    labels: np.ndarray

    @property
    def frames(self) -> np.ndarray:
        """Return the spectral features: (frames, BANDS)."""
        return features(self.sound)


def compressed(sound: np.ndarray) -> np.ndarray:
    """Return a sound from -1 to 1 in mu-law encoding, one byte per sample: soft sounds keep more detail."""
    curved = np.sign(sound) * np.log1p(CURVE * np.abs(sound)) / np.log1p(CURVE)
    return np.round(127.5 + 127.5 * curved).astype(np.uint8)


def expanded(stored: np.ndarray) -> np.ndarray:
    """Return the sound that `compressed` encoded, up to rounding."""
    curved = stored / 127.5 - 1.0
    return np.sign(curved) * np.expm1(np.abs(curved) * np.log1p(CURVE)) / CURVE


def spoken(digit: int, voice: int = 0, take: int = 0) -> np.ndarray:
    """Return one digit spoken by one voice: (samples,) from -1 to 1, RATE samples a second.

    voice: 0 to 35; take: 0 or 1, at another speed and pitch
    Raises KeyError when there is no such clip.
    """
    sounds, positions = _clips()
    if (voice, take, digit) not in positions:
        raise KeyError(
            f"no recording of digit {digit!r} by voice {voice!r}, take {take!r}: digits are 0 to 9, "
            f"voices 0 to {VOICES - 1}, takes 0 to {TAKES - 1}."
        )
    first, end = positions[voice, take, digit]
    return expanded(sounds[first:end])


@cache
def _clips() -> tuple[np.ndarray, dict[tuple[int, int, int], tuple[int, int]]]:
    with np.load(FILE) as file:
        ends = file["ends"].tolist()
        names = zip(file["voice"].tolist(), file["take"].tolist(), file["digit"].tolist(), strict=True)
        return file["sound"], dict(zip(names, zip([0, *ends], ends, strict=False), strict=True))


def say(
    digits: list[int], voice: int, rng: np.random.Generator, noise: float = 0.02, stretch: float = 1.0
) -> Utterance:
    """Concatenate one voice's digits with pauses between them and background noise.

    noise: its standard deviation, where the loudest speech is 0.9
    stretch: how much slower and deeper than the voice is: above 1 like a larger person, below 1 like a child
    """
    pieces, owners = [np.zeros(_pause(rng))], [SILENCE]
    for digit in digits:
        pieces += [_stretched(spoken(digit, voice, int(rng.integers(TAKES))), stretch), np.zeros(_pause(rng))]
        owners += [digit, SILENCE]
    sound = np.concatenate(pieces)
    owner = np.repeat(owners, [len(piece) for piece in pieces])
    sound = np.clip(sound * rng.uniform(0.5, 1.0) + noise * rng.normal(size=len(sound)), -1, 1)
    middles = np.arange(_frames_in(len(sound))) * HOP + WINDOW // 2
    return Utterance(sound, list(map(int, digits)), owner[middles])


def _pause(rng: np.random.Generator) -> int:
    return int(rng.integers(200, 1600))  # 25 to 200 ms


def _stretched(sound: np.ndarray, factor: float) -> np.ndarray:
    positions = np.arange(int(len(sound) * factor)) / factor
    return np.interp(positions, np.arange(len(sound)), sound)


def features(sound: np.ndarray) -> np.ndarray:
    """Return the log mel spectrogram: the log energy of each frame in BANDS frequency bands, (frames, BANDS).

    Over the whole sound each band has mean 0, and all together standard deviation 1: the loudness of the speaker
    and the frequency response of the telephone make no difference.
    """
    count = _frames_in(len(sound))
    if count < 1:
        raise ValueError(f"a sound of {len(sound)} samples is too short for one frame; expected {WINDOW} or more.")
    starts = HOP * np.arange(count)[:, None] + np.arange(WINDOW)
    spectrum = np.abs(np.fft.rfft(sound[starts] * np.hanning(WINDOW))) ** 2
    logs = np.log(spectrum @ mel_bands() + QUIET)
    logs -= logs.mean(axis=0)
    return logs / max(float(logs.std()), 1e-6)


def _frames_in(samples: int) -> int:
    return (samples - WINDOW) // HOP + 1


@cache
def mel_bands() -> np.ndarray:
    """Return the bands' weights, (WINDOW / 2 + 1, BANDS): triangular filters of equal width on the mel scale."""
    frequencies = np.linspace(0, RATE / 2, WINDOW // 2 + 1)
    mel = 2595 * np.log10(1 + frequencies / 700)
    middles = np.linspace(mel[1], mel[-1], BANDS + 2)
    rising = (mel[:, None] - middles[:-2]) / (middles[1:-1] - middles[:-2])
    falling = (middles[2:] - mel[:, None]) / (middles[2:] - middles[1:-1])
    return np.maximum(0, np.minimum(rising, falling))


def utterances(
    number: int, voices: range, seed: int, digits: tuple[int, int] = (3, 5), noise: float = 0.02
) -> list[Utterance]:
    """Return `number` utterances of random digits.

    voices: who may speak; digits: the least and the most in one utterance
    """
    rng = np.random.default_rng(seed)
    results = []
    for _ in range(number):
        spoken_digits = rng.integers(0, 10, size=rng.integers(digits[0], digits[1] + 1)).tolist()
        results.append(say(spoken_digits, int(rng.choice(voices)), rng, noise, stretch=rng.uniform(0.9, 1.12)))
    return results


def batch(spoken: list[Utterance]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return (xs, mask, labels) of utterances, padded to the longest.

    xs: (batch, steps, BANDS) float32; mask: (batch, steps), True where there is sound; labels: (batch, steps)
    """
    steps = max(len(utterance.labels) for utterance in spoken)
    xs = np.zeros((len(spoken), steps, BANDS), np.float32)
    labels, mask = np.full((len(spoken), steps), SILENCE), np.zeros((len(spoken), steps), bool)
    for row, utterance in enumerate(spoken):
        xs[row, : len(utterance.labels)], labels[row, : len(utterance.labels)] = utterance.frames, utterance.labels
        mask[row, : len(utterance.labels)] = True
    return xs, mask, labels
