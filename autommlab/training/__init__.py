"""Stage 4: trials of OpenMMLab trainings under Ray Tune."""
