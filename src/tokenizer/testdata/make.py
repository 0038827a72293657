#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the tokenizers and the expected ids of this folder with the reference implementation, the package `tokenizers`.

  pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf==7.36.2 && python make.py
"""
import base64
import io
import json
import random
import tempfile
from pathlib import Path

import sentencepiece
from sentencepiece import sentencepiece_model_pb2
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


# What becomes of what before a text is cut, as the large tables of real models have it: widths, ligatures, composed letters, white space; the
# longer of two that begin alike.
RULES = [(chr(0xFF01 + i), chr(0x21 + i)) for i in range(94)] + [
    ("\u3000", " "), ("\u00a0", " "), ("\t", " "), ("\n", " "), ("\r", " "), ("\u2003", " "), ("\ufb01", "fi"), ("\u217b", "xii"), ("\u00b2", "2"), ("o\u0308", "ö"), ("i\u0308", "ï"),
    ("e\u0301", "é"), ("e\u0301\u0301", "e2"), ("\u1100\u1161", "\uac00"), ("\u017f", "s"), ("\u200d", ""), ("\u212a", "K"), ("ö", "oe")]


def precompiled():
    """The rules as SentencePiece compiles them into a model."""
    with tempfile.TemporaryDirectory() as folder:
        rules = Path(folder) / "rules.tsv"
        rules.write_text("".join("\t".join(" ".join(f"{ord(c):X}" for c in side) for side in rule) + "\n" for rule in RULES))
        made = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus()), model_writer=made, vocab_size=VOCABULARY, minloglevel=2, num_threads=1,
                                                 model_type="unigram", hard_vocab_limit=False, normalization_rule_tsv=str(rules))
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString(made.getvalue())
    return normalizers.Precompiled(model.normalizer_spec.precompiled_charsmap)


def unigram(normalizer, pre_tokenizer, alphabet, byte_fallback=False):
    trained = Tokenizer(models.Unigram())
    trained.normalizer, trained.pre_tokenizer = normalizer, pre_tokenizer
    special = ["<unk>", BEGIN, END] + ([f"<0x{byte:02X}>" for byte in range(256)] if byte_fallback else [])
    trained.train_from_iterator(corpus(), trainers.UnigramTrainer(vocab_size=VOCABULARY + len(special), special_tokens=special, unk_token="<unk>",
                                                                  show_progress=False))
    known = [(token, score) for token, score in json.loads(trained.to_str())["model"]["vocab"] if len(token) > 1 or token in alphabet]
    tokenizer = Tokenizer(models.Unigram(known, 0, byte_fallback))
    tokenizer.normalizer, tokenizer.pre_tokenizer = normalizer, pre_tokenizer
    tokenizer.add_special_tokens([AddedToken(BEGIN, normalized=False), AddedToken(END, normalized=False)])
    tokenizer.add_tokens([AddedToken("<tool>", lstrip=True, rstrip=True, normalized=False)])
    return tokenizer


def bert(lowercase=True, pre_tokenizer=None, characters_max=100):
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]", max_input_chars_per_word=characters_max))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    tokenizer.pre_tokenizer = pre_tokenizer or pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(corpus(), trainers.WordPieceTrainer(vocab_size=VOCABULARY, show_progress=False, limit_alphabet=90,
                                                                      special_tokens=["[UNK]", "[CLS]", "[SEP]", BEGIN, END]))
    return tokenizer


def word_level():
    tokenizer = Tokenizer(models.WordLevel(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKD(), normalizers.StripAccents(), normalizers.Lowercase(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Whitespace(), pre_tokenizers.Punctuation("removed")])
    tokenizer.train_from_iterator(corpus(), trainers.WordLevelTrainer(vocab_size=VOCABULARY, show_progress=False, special_tokens=["[UNK]", BEGIN, END]))
    return tokenizer


LETTERS = "▁abcdefghijklmnopqrstuvwyABCTW0123456789.,;'()算力互联网äößé"
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
    "unigram": lambda: unigram(normalizers.Sequence([precompiled(), normalizers.Replace(Regex(" {2,}"), " ")]), pre_tokenizers.Metaspace(), LETTERS),
    "unigram_bytes": lambda: unigram(normalizers.NFKC(), pre_tokenizers.Sequence([pre_tokenizers.WhitespaceSplit(), pre_tokenizers.Metaspace()]), LETTERS, True),
    "bert": bert,
    "bert_cased": lambda: bert(False, pre_tokenizers.Whitespace(), 7),
    "word_level": word_level,
}


def texts():
    draw = random.Random(SEED + 1)
    fixed = ["", " ", "a", "the water", "The  Water\t\tturns", "\n\n\r\n x \r\n", "don't WE'LL I'M", "12345 3.14159 ١٢٣ ⅻ ²", "算力互联网 任务调度。",
             "größe gro\u0308\u00dfe na\u00efve nai\u0308ve", "e\u0301\u0301\u0302 \uac00\u1100\u1161", "\U0001f600\U0001f469\u200d\U0001f680 \ufe0f", "\u00a0\u2003\u3000x\u0085y",
             f"{BEGIN}user\nhello{END}\n{BEGIN}assistant\n", f"a  <tool>  b<tool><tool>{END}", "<|im_start", "x" * 300, " " * 70 + "y", "\x00\x01\x7f", "ſ 's 'S K'ſ",
             "ＡＢＣ　１２ ﬁ ⅻ² e\u0301e\u0301\u0301 か\u3099", "\u0378\ue000\u200b\u00ad\ufffdx\u0130İi", "ÅÉ éa œuvre ŒUVRE ẞ", "a$b^c`d~e+f=g|h<i>j §¶·„“—", "한국어 हिन्दी ไทย",
             "[UNK][CLS]", "Don't_stop 3.14-x", "the" * 40, "the\u0301 the\u0903 the\u20dd \u0301the", "\u180ex\u2028y\u2029z"]
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
