#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tokenizers and the expected ids of this folder with the reference implementation, the package `tokenizers`.

  pip install tokenizers==0.23.3 && python make.py
"""
import json
import random
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

FOLDER = Path(__file__).parent
VOCABULARY = 700
SEED = 7
WORDS = ("the water turns wheel of mill and power flows to grid node task model token price bill 2026 1234 3.14 don't we'll I'm you've "
         "penstock scheduler 算力 互联网 任务 调度 词元 计量 größe naïve façade œuvre проверка данных тест \U0001f600 \U0001f680 x=y+1; {\"a\": [1, 2]} // --").split()
LLAMA_3 = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+")
BEGIN, END = "<|im_start|>", "<|im_end|>"


def corpus():
    draw = random.Random(SEED)
    syllables = [a + b for a in "b d f g k l m n p r s t st tr 力 算".split() for b in "a e i o u ä ou ing er".split()]
    words = WORDS + ["".join(draw.choices(syllables, k=draw.randint(1, 4))) for _ in range(400)]
    return ["".join(draw.choice(words) + draw.choice([" ", " ", " ", "\n", "  ", ", ", ". "]) for _ in range(40)) for _ in range(200)]


def byte_level(pre_tokenizer, normalizer=None, ignore_merges=False):
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    if normalizer:
        tokenizer.normalizer = normalizer
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=VOCABULARY, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), special_tokens=[BEGIN, END], show_progress=False))
    tokenizer.add_tokens([AddedToken("<tool>", lstrip=True, rstrip=True, normalized=False)])
    return tokenizer


def characters():
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True, byte_fallback=True))
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(
        vocab_size=VOCABULARY + 256, show_progress=False, limit_alphabet=60, special_tokens=["<unk>", BEGIN, *(f"<0x{byte:02X}>" for byte in range(256))]))
    return tokenizer


def replaced():
    """As Llama 2: a normalizer writes the marks, nothing is split off, unknown characters become one token."""
    tokenizer = Tokenizer(models.BPE(unk_token="<unk>", fuse_unk=True))
    tokenizer.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    tokenizer.train_from_iterator(corpus(), trainers.BpeTrainer(vocab_size=VOCABULARY, show_progress=False, limit_alphabet=60, special_tokens=["<unk>", BEGIN]))
    return tokenizer


TOKENIZERS = {
    "byte_level": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=False)),
    "prefix_space": lambda: byte_level(pre_tokenizers.ByteLevel(add_prefix_space=True)),
    "split": lambda: byte_level(pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(LLAMA_3), "isolated"),
                                                         pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)]), ignore_merges=True),
    "digits_nfc": lambda: byte_level(pre_tokenizers.Sequence([pre_tokenizers.Digits(individual_digits=True),
                                                              pre_tokenizers.ByteLevel(add_prefix_space=False)]), normalizers.NFC()),
    "removed": lambda: byte_level(pre_tokenizers.Sequence([pre_tokenizers.Split(Regex(r"\s+"), "removed"),
                                                           pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])),
    "characters": characters,
    "replaced": replaced,
}


def texts():
    draw = random.Random(SEED + 1)
    fixed = ["", " ", "a", "the water", "The  Water\t\tturns", "\n\n\r\n x \r\n", "don't WE'LL I'M", "12345 3.14159 ١٢٣ ⅻ ²", "算力互联网 任务调度。",
             "größe gro\u0308\u00dfe na\u00efve nai\u0308ve", "e\u0301\u0301\u0302 \uac00\u1100\u1161", "\U0001f600\U0001f469\u200d\U0001f680 \ufe0f", "\u00a0\u2003\u3000x\u0085y",
             f"{BEGIN}user\nhello{END}\n{BEGIN}assistant\n", f"a  <tool>  b<tool><tool>{END}", "<|im_start", "x" * 300, " " * 70 + "y", "\x00\x01\x7f", "ſ 's 'S K'ſ"]
    alphabet = list("abc thewar  \n\t.,;'\"{}[]0189-_") + list("算力网äößéñ") + ["\u0301", "\U0001f600", "\u3000", "\r\n", BEGIN, "<tool>", "'ll", "  "]
    return fixed + ["".join(draw.choice(alphabet) for _ in range(draw.randint(1, 80))) for _ in range(120)]


def main():
    for name, make in TOKENIZERS.items():
        tokenizer = make()
        (FOLDER / f"{name}.tokenizer.json").write_text(json.dumps(json.loads(tokenizer.to_str()), ensure_ascii=False, separators=(",", ":")) + "\n")
        cases = [{"text": text, "ids": tokenizer.encode(text, add_special_tokens=False).ids} for text in texts()]
        (FOLDER / f"{name}.ids.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")).replace('},{', '},\n{') + "\n")


if __name__ == "__main__":
    main()
