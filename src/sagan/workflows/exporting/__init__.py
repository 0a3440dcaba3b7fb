"""The parts of `sagan export`.

record         what stands beside the numbers of every export
comparing      an export drawn beside the live generator
forms          what can be exported to; each makes files of a generator, and opens such files again:
onnx_file      ONNX
openvino_file  OpenVINO's IR
data_file      safetensors and JSON, for programs of others
page_file      a page that draws in the browser; page/ holds its scripts
"""
