"""Small films of different make, by the `ffmpeg` program: `python -m tests.support.film_collection FOLDER`."""

from __future__ import annotations

import struct
import sys
from pathlib import Path

from support.ffmpeg_program import ffmpeg

LONG_S = 6.0  # the sound of the film whose pictures end first

_PICTURE = "testsrc2=size=160x120:rate=25:duration=2"
_TONE = "sine=frequency=440:sample_rate=48000:duration=2"
_SIX = "aevalsrc=sin(440*2*PI*t)|sin(550*2*PI*t)|0.1|sin(80*2*PI*t)|sin(660*2*PI*t)|sin(770*2*PI*t):s=48000:d=2"
_EIGHT = f"aevalsrc={'|'.join(f'0.1*sin({220 * n}*2*PI*t)' for n in range(1, 9))}:s=48000:d=2:c=7.1"
_H264 = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p"
_B_FRAMES = "-c:v libx264 -preset veryfast -bf 3 -g 12 -pix_fmt yuv420p"
_HEVC = "-c:v libx265 -preset ultrafast -x265-params log-level=none"
_AV1 = "-c:v libaom-av1 -cpu-used 8 -usage realtime"
_JITTER = "-vf settb=1/90000,setpts='(N/25+0.015*sin(N*1.7))/TB' -vsync passthrough -enc_time_base 1/90000"
_UNEVEN = (  # from 20 to 320 ms apart
    "-vf settb=1/90000,setpts='(if(eq(N,0),0,PREV_OUTPTS*TB)+0.02+0.3*pow(random(0),4))/TB'"
    " -vsync passthrough -enc_time_base 1/90000"
)
_DROPS = "-vf select='gt(random(1),0.4)' -vsync passthrough"

# Name of the film: sources of FFmpeg's lavfi device, with the options of each, and the options of the output.
FILMS: dict[str, tuple[list[str], str]] = {
    "b_frames.mp4": ([_PICTURE, _TONE], f"{_B_FRAMES} -c:a aac"),
    "ntsc_silent.mp4": (["testsrc2=size=160x120:rate=60000/1001:duration=1"], _H264),
    "jitter.mp4": ([_PICTURE, _TONE], f"{_H264} {_JITTER} -c:a aac"),
    "dropped_frames.mp4": ([_PICTURE, _TONE], f"{_B_FRAMES} {_DROPS} -c:a aac"),
    "uneven.mp4": (
        ["testsrc2=size=160x120:rate=24:duration=3", "sine=sample_rate=16000:duration=3"],
        f"{_H264} {_UNEVEN} -c:a aac",
    ),
    "slides.mp4": (
        ["testsrc2=size=160x120:rate=2/3:duration=7.5", "sine=sample_rate=44100:duration=7.2"],
        f"{_H264} -c:a aac",
    ),
    "long_sound.mp4": ([_PICTURE, f"sine=sample_rate=48000:duration={LONG_S}"], f"{_H264} -c:a aac"),
    "short_sound.mp4": ([_PICTURE, "sine=sample_rate=48000:duration=0.5"], f"{_H264} -c:a aac"),
    "sound_first.mp4": ([f"-itsoffset 0.7|{_PICTURE}", _TONE], f"{_B_FRAMES} -c:a aac"),
    "sound_late.mp4": ([_PICTURE, f"-itsoffset 0.7|{_TONE}"], f"{_B_FRAMES} -c:a aac"),
    "rotated.mp4": ([_PICTURE, _TONE], f"{_H264} -metadata:s:v rotate=90 -c:a aac"),
    "hevc_10_bit.mp4": ([_PICTURE, _SIX], f"{_HEVC} -pix_fmt yuv420p10le -tag:v hvc1 -c:a aac"),
    "mpeg4_mono.mp4": ([_PICTURE, "sine=sample_rate=22050:duration=2"], "-c:v mpeg4 -bf 2 -c:a aac -ac 1"),
    "ac3.mp4": ([_PICTURE, _SIX], f"{_H264} -c:a ac3"),
    "prores.mov": ([_PICTURE, _TONE], "-c:v prores_ks -profile:v 0 -c:a pcm_s16le"),
    "timecode.mov": ([_PICTURE, _SIX], f"{_H264} -timecode 01:02:03:04 -c:a pcm_s24le"),
    "mjpeg.mov": ([_PICTURE, _TONE], "-c:v mjpeg -pix_fmt yuvj420p -c:a alac"),
    "jitter_opus.mkv": ([_PICTURE, _TONE], f"{_H264} {_JITTER} -c:a libopus"),
    "slides.mkv": (
        ["testsrc2=size=160x120:rate=2/3:duration=7.5", "sine=sample_rate=44100:duration=7.2"],
        f"{_H264} -c:a libvorbis",
    ),
    "odd_size_vp9.mkv": (["testsrc2=size=161x121:rate=25:duration=2", _TONE], "-c:v libvpx-vp9 -cpu-used 8 -c:a flac"),
    "av1.mkv": (["testsrc2=size=160x120:rate=25:duration=1", _TONE], f"{_AV1} -c:a libopus"),
    "unlabelled_six.mkv": ([_PICTURE, _SIX], f"{_H264} -af channelmap=0|1|2|3|4|5:6c -c:a pcm_s16le"),
    "film_rate.mkv": (["testsrc2=size=160x120:rate=24000/1001:duration=2", _TONE], f"{_H264} -c:a libmp3lame"),
    "eight_channels.mkv": ([_PICTURE, _EIGHT], f"{_H264} -c:a pcm_s16le"),
    "dts.mkv": ([_PICTURE, _SIX], f"{_H264} -strict -2 -c:a dca"),
    "ffv1.mkv": ([_PICTURE, _TONE], "-c:v ffv1 -pix_fmt yuv422p10le -c:a wavpack"),
    "fragments.mp4": ([_PICTURE, _TONE], f"{_B_FRAMES} -c:a aac -movflags frag_keyframe+empty_moov+default_base_moof"),
    "vp9_opus.mp4": ([_PICTURE, _TONE], "-c:v libvpx-vp9 -deadline realtime -cpu-used 8 -strict -2 -c:a libopus"),
    "h264.flv": ([_PICTURE, _TONE], f"{_H264} -c:a aac"),
    "h263.3gp": (["testsrc2=size=176x144:rate=15:duration=2", _TONE], "-c:v h263 -c:a aac"),
    "theora.ogv": ([_PICTURE, _TONE], "-c:v libtheora -c:a libvorbis"),
    "huffyuv.avi": ([_PICTURE, _TONE], "-c:v huffyuv -pix_fmt yuv422p -c:a pcm_s16le"),
    "vp8.webm": ([_PICTURE, _TONE], "-c:v libvpx -deadline realtime -cpu-used 8 -c:a libvorbis"),
    "vp9.webm": ([_PICTURE, _TONE], f"-c:v libvpx-vp9 -deadline realtime -cpu-used 8 {_DROPS} -c:a libopus"),
    "mpeg4.avi": ([_PICTURE, _TONE], "-c:v mpeg4 -bf 2 -vtag XVID -c:a libmp3lame"),
    "mjpeg.avi": ([_PICTURE, _TONE], "-c:v mjpeg -pix_fmt yuvj422p -c:a pcm_s16le"),
    "h264.ts": ([_PICTURE, _TONE], f"{_B_FRAMES} -c:a aac"),
    "hevc.ts": ([_PICTURE, _SIX], f"{_HEVC} -pix_fmt yuv420p -c:a eac3"),
    "mpeg2.ts": ([_PICTURE, _TONE], "-c:v mpeg2video -bf 2 -c:a mp2"),
    "mpeg2.mpg": ([_PICTURE, _TONE], "-c:v mpeg2video -bf 2 -c:a mp2"),
    "wmv.wmv": ([_PICTURE, _TONE], "-c:v wmv2 -c:a wmav2"),
    "wrapped.ts": ([_PICTURE, _TONE], f"{_H264} -c:a mp2 -muxdelay 0 -muxpreload 0 -output_ts_offset 95442.7"),
    "gap.mkv": (
        ["testsrc2=size=160x120:rate=1:duration=4", _TONE],
        f"{_H264} -vf setpts='(N+if(gte(N,2),90,0))/TB' -vsync passthrough -c:a aac",
    ),
}
TRACKS = "tracks"  # in a container of any suffix
EDITED = "edited.mp4"  # the middle of b_frames.mp4: its edit list hides pictures and sound that lead to the first ones
NAMES = (*FILMS, EDITED, f"{TRACKS}.mp4", f"{TRACKS}.mkv")


def make_film(folder: Path, name: str) -> Path:
    """Write one film of the collection, unless it is there."""
    path = folder / name
    if path.exists():
        return path
    if path.stem == TRACKS:
        return make_film_with_tracks(path)
    if name == EDITED:
        ffmpeg("-ss", 0.7, "-i", make_film(folder, "b_frames.mp4"), "-t", 1, "-c", "copy", path)
        return path
    sources, output = FILMS[name]
    inputs: list[str] = []
    for source in sources:
        options, _, graph = source.rpartition("|") if source.startswith("-") else ("", "", source)
        inputs += [*options.split(), "-f", "lavfi", "-i", graph]
    ffmpeg(*inputs, *output.split(), path)
    return path


_SUBTITLES = """1
00:00:00,200 --> 00:00:00,900
Good <i>morning</i>

2
00:00:01,100 --> 00:00:01,800
Goodbye
"""
_METADATA = """;FFMETADATA1
title=A film
date=2024-05-06
location=+48.1374+011.5755/
camera=Pinhole
creation_time=2024-05-06T07:08:09.000000Z

[CHAPTER]
TIMEBASE=1/1000
START=0
END=1000
title=First

[CHAPTER]
TIMEBASE=1/1000
START=1000
END=2000
title=Second
"""


def make_film_with_tracks(path: Path) -> Path:
    """Write a film with two sound tracks, subtitles, chapters and metadata, unless it is there."""
    if path.exists():
        return path
    subtitles, metadata = path.with_suffix(".srt"), path.with_suffix(".txt")
    subtitles.write_text(_SUBTITLES, encoding="utf-8")
    metadata.write_text(_METADATA, encoding="utf-8")
    inputs = []
    for graph in (_PICTURE, _TONE, "sine=frequency=880:sample_rate=44100:duration=2"):
        inputs += ["-f", "lavfi", "-i", graph]
    languages = "-metadata:s:a:0 language=eng -metadata:s:a:1 language=deu -metadata:s:s:0 language=fra"
    chosen = "-map 0 -map 1 -map 2 -map 3 -map_metadata 4 -map_chapters 4 -disposition:a:1 default -disposition:a:0 0"
    text = "mov_text" if path.suffix in (".mp4", ".mov") else "subrip"
    codecs = f"{_H264} -c:a:0 aac -c:a:1 ac3 -c:s {text}"
    ffmpeg(*inputs, "-i", subtitles, "-i", metadata, *chosen.split(), *languages.split(), *codecs.split(), path)
    subtitles.unlink()
    metadata.unlink()
    return path


def picture_subtitles() -> bytes:
    """Return a file of PGS subtitles: a white square of 8x8 pixels from 0.2 to 1.0 s."""
    line = b"\0\x88\1\0\0"  # eight pixels of colour 1, and the end of the line
    bitmap = struct.pack(">HH", 8, 8) + 8 * line
    screen = struct.pack(">HHB", 160, 120, 16)  # with the frame rate
    shown = [
        (0x16, screen + struct.pack(">HBBBBHBBHH", 0, 0x80, 0, 0, 1, 0, 0, 0, 10, 10)),
        (0x17, struct.pack(">BBHHHH", 1, 0, 10, 10, 8, 8)),
        (0x14, bytes([0, 0, 1, 235, 128, 128, 255])),
        (0x15, struct.pack(">HBB", 0, 0, 0xC0) + len(bitmap).to_bytes(3, "big") + bitmap),
        (0x80, b""),
    ]
    cleared = [(0x16, screen + struct.pack(">HBBBB", 1, 0x80, 0, 0, 0)), (0x80, b"")]
    segments = [(0.2, *segment) for segment in shown] + [(1.0, *segment) for segment in cleared]
    return b"".join(b"PG" + struct.pack(">IIBH", int(90000 * s), 0, kind, len(d)) + d for s, kind, d in segments)


if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True, exist_ok=True)
    for film in NAMES:
        print(make_film(target, film))
