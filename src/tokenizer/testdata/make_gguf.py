#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Makes the GGUF vocabularies of this folder and the ids that llama.cpp gives for them.

  pip install tokenizers==0.23.3 sentencepiece==0.2.3 protobuf==7.36.2 gguf==0.19.0 xllamacpp==2026.10.11549 && python make_gguf.py

SentencePiece trains the vocabularies; around each a model with one tiny layer of random weights is written, which llama.cpp's server loads
and asks for ids (`POST /tokenize`). Only the head of the file, with the vocabulary, is kept.
"""
import json
import tempfile
import urllib.request
from pathlib import Path

import gguf
import numpy
import sentencepiece
import xllamacpp
from make import FOLDER, RULES, SEED, VOCABULARY, bert, corpus, texts

WIDTH, CONTEXT = 32, 8192
NORMAL, UNKNOWN, CONTROL, USER, UNUSED, BYTE = (int(kind) for kind in (
    gguf.TokenType.NORMAL, gguf.TokenType.UNKNOWN, gguf.TokenType.CONTROL, gguf.TokenType.USER_DEFINED, gguf.TokenType.UNUSED, gguf.TokenType.BYTE))


def sentence_piece(folder, **options):
    (folder / "corpus.txt").write_text("\n".join(corpus()), encoding="utf-8")
    sentencepiece.SentencePieceTrainer.train(
        input=str(folder / "corpus.txt"), model_prefix=str(folder / "made"), minloglevel=2, num_threads=1, user_defined_symbols=["<tool>"],
        control_symbols=["<|im_start|>", "<|im_end|>"], character_coverage=0.995, **options)
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "made.model"))
    kinds = [UNKNOWN if model.is_unknown(i) else CONTROL if model.is_control(i) else USER if model.id_to_piece(i) == "<tool>"
             else BYTE if model.is_byte(i) else UNUSED if model.is_unused(i) else NORMAL for i in range(len(model))]
    return [model.id_to_piece(i) for i in range(len(model))], [model.get_score(i) for i in range(len(model))], kinds


def charsmap(folder):
    """The table that SentencePiece compiled into its model: field 2 of its normalizer_spec, field 3 of the model."""
    from sentencepiece import sentencepiece_model_pb2
    model = sentencepiece_model_pb2.ModelProto()
    model.ParseFromString((folder / "made.model").read_bytes())
    return model.normalizer_spec.precompiled_charsmap


def llama(folder, writer):
    """As Llama 2: byte pair encoding by scores, with bytes for what is no token."""
    tokens, scores, kinds = sentence_piece(folder, model_type="bpe", vocab_size=VOCABULARY + 256, byte_fallback=True, normalization_rule_name="identity",
                                           remove_extra_whitespaces=False)
    write_vocabulary(writer, "llama", tokens, kinds, scores)


def llama_bare(folder, writer):
    """As some later ones: no space is added before a text."""
    llama(folder, writer)
    writer.add_add_space_prefix(False)


def t5(folder, writer):
    (folder / "rules.tsv").write_text("".join("\t".join(" ".join(f"{ord(c):X}" for c in side) for side in rule) + "\n" for rule in RULES))
    tokens, scores, kinds = sentence_piece(folder, model_type="unigram", vocab_size=VOCABULARY, hard_vocab_limit=False, normalization_rule_tsv=str(folder / "rules.tsv"),
                                           pad_id=0, eos_id=1, unk_id=2, bos_id=-1)
    write_vocabulary(writer, "t5", tokens, kinds, scores)
    writer.add_add_space_prefix(True)
    writer.add_remove_extra_whitespaces(True)
    writer.add_precompiled_charsmap(charsmap(folder))
    writer.add_unk_token_id(2)


def words(_, writer):
    tokens = sorted((vocabulary := bert().get_vocab()), key=vocabulary.get)
    unknown = tokens.index("[UNK]")
    kinds = [UNKNOWN if i == unknown else CONTROL if token.startswith("[") and token.endswith("]") and len(token) > 2 or token.startswith("<|") else NORMAL
             for i, token in enumerate(tokens)]
    # Marked as converters do: what begins a word, instead of what goes on with it.
    marked = [token if kind != NORMAL else token[2:] if token.startswith("##") else "▁" + token for token, kind in zip(tokens, kinds, strict=True)]
    write_vocabulary(writer, "bert", marked, kinds)
    writer.add_unk_token_id(unknown)


def write_vocabulary(writer, model, tokens, kinds, scores=None):
    writer.add_tokenizer_model(model)
    writer.add_token_list(tokens)
    if scores is not None:
        writer.add_token_scores(scores)
    writer.add_token_types(kinds)
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(1)
    writer.size = len(tokens)


def write(name, make, folder):
    path = folder / f"{name}.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_block_count(1)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(WIDTH)
    writer.add_head_count(1)
    writer.add_layer_norm_rms_eps(1e-5)
    make(folder, writer)
    draw = numpy.random.default_rng(SEED)
    for tensor, shape in {"token_embd": (writer.size, WIDTH), "output_norm": (WIDTH,), "blk.0.attn_norm": (WIDTH,), "blk.0.ffn_norm": (WIDTH,),
                          **{f"blk.0.{part}": (WIDTH, WIDTH) for part in ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")}}.items():
        writer.add_tensor(f"{tensor}.weight", draw.standard_normal(shape, dtype=numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.fout[0].flush()
    head = path.read_bytes()
    writer.write_tensors_to_file()
    writer.close()
    return path, head


def ask(address, text, special):
    body = json.dumps({"content": text, "add_special": False, "parse_special": special}).encode()
    with urllib.request.urlopen(urllib.request.Request(f"{address}/tokenize", body, {"Content-Type": "application/json"})) as answer:
        return json.loads(answer.read())["tokens"]


def main():
    for name, make in {"llama": llama, "llama_bare": llama_bare, "t5": t5, "bert": words}.items():
        with tempfile.TemporaryDirectory() as folder:
            path, head = write(name, make, Path(folder))
            parameters = xllamacpp.CommonParams()
            parameters.model.path = str(path)
            parameters.n_ctx, parameters.n_parallel, parameters.port = 64, 1, 0
            server = xllamacpp.Server(parameters)
            cases = [{"text": text, "special": special, "ids": ask(server.listening_address, text, special)} for text in texts() for special in (True, False)]
            del server
        (FOLDER / f"gguf_{name}.head.gguf").write_bytes(head)
        (FOLDER / f"gguf_{name}.ids.json").write_text(json.dumps(cases, ensure_ascii=True, separators=(",", ":")).replace('},{', '},\n{') + "\n")


if __name__ == "__main__":
    main()
