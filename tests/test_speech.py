"""Spoken digits: every clip is there and is what it says, features tell digits apart, labels fit the sound."""

from __future__ import annotations

import numpy as np
import pytest

from rnn_helpers import speech


def test_every_voice_says_every_digit_in_every_take():
    for voice in range(speech.VOICES):
        for take in range(speech.TAKES):
            for digit in range(10):
                sound = speech.spoken(digit, voice, take)
                assert 0.15 < len(sound) / speech.RATE < 1.2, (voice, take, digit)
                assert 0.85 < np.abs(sound).max() <= 1.0


def test_no_two_clips_are_the_same():
    clips = {speech.spoken(d, v, t).tobytes() for d in range(10) for v in range(speech.VOICES) for t in (0, 1)}
    assert len(clips) == 10 * speech.VOICES * speech.TAKES


def test_an_unknown_clip_is_named_with_what_there_is():
    with pytest.raises(KeyError, match="digit 10 by voice 0, take 0: digits are 0 to 9, voices 0 to 35"):
        speech.spoken(10)


def test_a_sound_survives_being_stored():
    sound = np.sin(np.linspace(0, 200, 5000)) * np.linspace(0, 1, 5000)
    assert np.abs(speech.expanded(speech.compressed(sound)) - sound).max() < 0.025
    soft = 0.01 * sound
    assert np.abs(speech.expanded(speech.compressed(soft)) - soft).max() < 0.0006  # soft sounds keep their detail


@pytest.mark.parametrize("hertz", [200, 700, 1500, 3000])
def test_a_pure_tone_is_loudest_in_the_band_that_holds_it(hertz):
    loudest = (speech.mel_bands()[round(hertz * speech.WINDOW / speech.RATE)]).argmax()
    silence_and_tone = np.concatenate([np.zeros(4000), np.sin(2 * np.pi * hertz * np.arange(4000) / speech.RATE)])
    frames = speech.features(silence_and_tone)
    assert frames[35].argmax() == loudest


def test_loudness_makes_no_difference_to_the_frames():
    sound = speech.say([3, 1, 4], 2, np.random.default_rng(0)).sound
    assert np.abs(speech.features(sound) - speech.features(0.5 * sound)).max() < 0.25
    assert speech.features(sound).mean(axis=0) == pytest.approx(0, abs=1e-9)
    assert speech.features(sound).std() == pytest.approx(1)


def test_a_sound_shorter_than_a_frame_is_refused():
    with pytest.raises(ValueError, match="a sound of 100 samples is too short for one frame; expected 256"):
        speech.features(np.zeros(100))


def test_labels_say_who_speaks_where():
    said = speech.say([7, 7, 0], 5, np.random.default_rng(1), noise=0.0)
    loud = np.array([np.abs(said.sound[n * speech.HOP :][: speech.WINDOW]).max() for n in range(len(said.labels))])
    assert (loud[said.labels == speech.SILENCE] < loud[said.labels != speech.SILENCE].mean()).all()
    runs = [label for before, label in zip([-1, *said.labels], said.labels, strict=False) if label != before]
    assert [label for label in runs if label != speech.SILENCE] == said.digits == [7, 7, 0]
    assert len(said.labels) == len(said.frames)


def test_a_stretched_voice_is_slower_and_deeper():
    def pitch(stretch: float) -> float:
        sound = speech.say([0], 3, np.random.default_rng(2), noise=0.0, stretch=stretch).sound
        spectrum = np.abs(np.fft.rfft(sound)) ** 2
        return float((np.arange(len(spectrum)) * spectrum).sum() / spectrum.sum() / len(sound))

    assert pitch(1.3) < pitch(1.0) < pitch(0.8)


def test_utterances_repeat_with_their_seed_and_keep_to_their_voices():
    one, same, other = (speech.utterances(4, speech.HEARD, seed) for seed in (1, 1, 2))
    assert [u.digits for u in one] == [u.digits for u in same] != [u.digits for u in other]
    assert all(np.array_equal(a.sound, b.sound) for a, b in zip(one, same, strict=True))
    assert all(3 <= len(u.digits) <= 5 for u in one)


def test_a_batch_is_padded_to_the_longest():
    spoken = speech.utterances(5, speech.HEARD, 3)
    xs, mask, labels = speech.batch(spoken)
    lengths = [len(u.labels) for u in spoken]
    assert xs.shape == (5, max(lengths), speech.BANDS)
    assert mask.sum(axis=1).tolist() == lengths
    assert (xs[~mask] == 0).all()
    assert (labels[~mask] == speech.SILENCE).all()
    assert all(np.array_equal(row[on], u.labels) for row, on, u in zip(labels, mask, spoken, strict=True))
