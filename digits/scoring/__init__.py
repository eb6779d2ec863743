"""Scoring of many images with one model: in parts, in any order, on one machine or several."""
