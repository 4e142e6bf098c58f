"""Kararli's own code, one room each; imports point down this list, never up and never sideways.

ui  api  cli                 how people and programs ask
engine                       turns a request into pictures (the only room that imports torch)
jobs                         carries requests to an engine and events back
plugins  storage  catalog    how others join in; what ends on disk; what lies in models/
prompts                      what the words of a prompt mean
settings  schema             the words that everything else is said in
"""

__version__ = "0.1.0"
