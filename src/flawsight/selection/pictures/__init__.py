"""Measuring layers and views on defects in pictures' own pixels."""

from flawsight.selection.pictures.candidates import candidate_views
from flawsight.selection.pictures.make import make_scenes, some_pictures
from flawsight.selection.pictures.planted import PlantedDefect, PlantedMasks, PlantedPictures, Planter
from flawsight.selection.pictures.race import ViewTrial, best_trial, race_views
from flawsight.selection.pictures.scene import Scene
from flawsight.selection.pictures.scenes import Scenes, ViewedSet

__all__ = [
    "PlantedDefect",
    "PlantedMasks",
    "PlantedPictures",
    "Planter",
    "Scene",
    "Scenes",
    "ViewTrial",
    "ViewedSet",
    "best_trial",
    "candidate_views",
    "make_scenes",
    "race_views",
    "some_pictures",
]
